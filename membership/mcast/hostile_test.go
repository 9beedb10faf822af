package mcast

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

// hostileMaker makes a datagram for a victim that knows one other member.
type hostileMaker func(t *testing.T, victim, other *membership.Member) []byte

var attacker = host(66)

var hostile = []struct {
	name string
	make hostileMaker
	want reason
}{
	{"no bytes", bytesOf(nil), emptyDatagram},
	{"64 KiB", bytesOf(make([]byte, bufferSize)), cutDatagram},
	{"noise", bytesOf([]byte("GET / HTTP/1.0\r\n\r\n")), strangeDatagram},
	{"begin magic alone", image(func(b []byte) []byte { return b[:10] }), badImage + reason(wire.Truncated)},
	{"half an image", image(func(b []byte) []byte { return b[:40] }), badImage + reason(wire.Truncated)},
	{"damaged end", image(func(b []byte) []byte { b[len(b)-1] ^= 1; return b }), badImage + reason(wire.BadEnd)},
	{"negative length", image(func(b []byte) []byte { b[10] = 0xff; return b }), badImage + reason(wire.BadLength)},
	{"inner length past the end", image(func(b []byte) []byte { b[40] = 0xff; return b }), badImage + reason(wire.LengthPastEnd)},
	{"host of 5 bytes", image(func(b []byte) []byte { b[34] = 5; return b }), badImage + reason(wire.BadHost)},
	{"port of 65536", image(func(b []byte) []byte { b[22], b[23], b[24], b[25] = 0, 1, 0, 0; return b }), badImage + reason(wire.BadPort)},
	{"no port", imageOf(func(a *membership.Attributes) { a.Port = 0 }), notDialable},
	{"no host", imageOf(func(a *membership.Attributes) { a.Host = netip.IPv4Unspecified() }), notDialable},
	{"mapped host of nobody", imageOf(func(a *membership.Attributes) { a.Host = netip.MustParseAddr("::ffff:0.0.0.0") }), notDialable},
	{"multicast host", imageOf(func(a *membership.Attributes) { a.Host = netip.MustParseAddr("228.0.0.4") }), notDialable},
	{"our address", func(t *testing.T, v, _ *membership.Member) []byte {
		return []byte(with(t, v, func(a *membership.Attributes) { a.ID = membership.NewID() }).Image())
	}, ownAddress},
	{"our id", func(t *testing.T, v, _ *membership.Member) []byte {
		return []byte(with(t, v, func(a *membership.Attributes) { a.Port++ }).Image())
	}, ownID},
	{"our own goodbye", func(t *testing.T, v, _ *membership.Member) []byte {
		return []byte(goodbyeOf(t, v, 0).Image())
	}, forgedSelf},
	{"our heartbeat of tomorrow", func(_ *testing.T, v, _ *membership.Member) []byte {
		return v.AppendImage(nil, 86_400_000)
	}, forgedSelf},
	{"our description, changed", func(t *testing.T, v, _ *membership.Member) []byte {
		return []byte(with(t, v, func(a *membership.Attributes) { a.Payload = "x"; a.Alive = 1 << 40 }).Image())
	}, forgedSelf},
	{"id of another member", func(t *testing.T, _, o *membership.Member) []byte {
		return []byte(with(t, o, func(a *membership.Attributes) { a.Host = attacker }).Image())
	}, takenID},
	{"message", bytesOf(frameOf("x")), messagesOff},
	{"half a message", bytesOf(frameOf("x")[:50]), badFrame + reason(wire.Truncated)},
	{"message of 2 GiB", bytesOf([]byte("FLT2002\x7f\xff\xff\xff")), badFrame + reason(wire.TooLarge)},
}

func TestHostileDatagrams(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newEther()
				a, b := e.join(t, 1), e.join(t, 2)
				pass(10 * time.Millisecond)
				a.told()
				const n = 1000
				for range n {
					e.inject(attacker, c.make(t, a.local, b.local))
					pass(7 * time.Millisecond) // heartbeats go on meanwhile
				}
				a.wantTold()
				a.wantRejected(map[string]uint64{c.want.String(): n})
				if lines := a.log.Lines("level=WARN"); lines > 1 {
					t.Errorf("%d log lines, want at most 1:\n%s", lines, a.log)
				}
				b.stop()
				pass(roundTrip)
				a.wantTold("left 10.0.0.2")
			})
		})
	}
}

func bytesOf(b []byte) hostileMaker {
	return func(*testing.T, *membership.Member, *membership.Member) []byte { return b }
}

func image(damage func(b []byte) []byte) hostileMaker {
	return func(t *testing.T, _, _ *membership.Member) []byte {
		return damage([]byte(newMember(t, 7, nil).Image()))
	}
}

func imageOf(change func(*membership.Attributes)) hostileMaker {
	return func(t *testing.T, _, _ *membership.Member) []byte { return []byte(newMember(t, 7, change).Image()) }
}

// All kinds of noise together from many sources: few log lines, and what is good
// is taken at once.
func TestNoiseFromManySources(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		random := rand.New(rand.NewPCG(1, 2))
		good := []byte(newMember(t, 9, nil).Image())
		for i := range 5000 {
			b := bytes.Clone(good)
			for range 1 + random.IntN(8) {
				b[random.IntN(len(b))] ^= byte(1 + random.IntN(255))
			}
			b = b[:random.IntN(len(b)+1)]
			e.inject(host(1000+i%500), b)
			if i%100 == 0 {
				pass(time.Millisecond)
			}
		}
		pass(10 * time.Millisecond)
		b := e.join(t, 2)
		pass(roundTrip + extraGap + maxSpread) // some of the noise has become members
		if a.View().Find(b.local.Key()) == nil || b.View().Find(a.local.Key()) == nil {
			t.Error("two members do not see each other at once")
		}
		kinds := len(a.Stats().Rejected)
		if lines := a.log.Lines("level=WARN"); lines > kinds*quietSources {
			t.Errorf("%d log lines of %d kinds from 500 sources, want at most %d", lines, kinds, kinds*quietSources)
		}
	})
}

// With a full table the members that are there stay, and newcomers are counted.
func TestTableFull(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.newNode(t, newMember(t, 1, nil), func(c *Config) { c.MaxMembers = 3 })
		a.start()
		b := e.join(t, 2)
		pass(roundTrip)
		for i := range 10 {
			e.inject(host(100+i), []byte(newMember(t, 100+i, nil).Image()))
		}
		pass(roundTrip)
		a.wantRejected(map[string]uint64{tableFull.String(): 8})
		pass(5 * time.Second) // the made-up ones fail
		if v := a.View(); v.Len() != 1 || v.Find(b.local.Key()) == nil {
			t.Errorf("view %v, want %s alone", v.Members, b.local)
		}
		e.join(t, 3)
		pass(roundTrip)
		if got := a.View().Len(); got != 2 {
			t.Errorf("%d members, want 2", got)
		}
	})
}

// One source cannot fill the table.
func TestSourceFull(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		for i := range maxFromSource + 5 {
			e.inject(host(66), []byte(newMember(t, 100+i, nil).Image()))
			if i%100 == 0 {
				pass(roundTrip)
			}
		}
		pass(roundTrip)
		a.wantRejected(map[string]uint64{sourceFull.String(): 5})
		b := e.join(t, 2)
		pass(roundTrip)
		if a.View().Find(b.local.Key()) == nil {
			t.Error("an honest newcomer is kept out")
		}
		pass(5 * time.Second)
		if got := a.View().Len(); got != 1 {
			t.Errorf("%d members when the made-up ones have failed, want 1", got)
		}
	})
}

// The goodbye of a former life on our address is no conflict.
func TestFormerLifeSaysGoodbye(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		e.inject(host(1), []byte(goodbyeOf(t, newMember(t, 1, nil), 5).Image()))
		pass(roundTrip)
		a.wantTold()
		a.wantRejected(map[string]uint64{})
	})
}

// Members without an id are told apart by their addresses.
func TestMembersWithoutID(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		for i := range 3 {
			e.inject(host(2+i), []byte(newMember(t, 2+i, func(at *membership.Attributes) { at.ID = membership.ID{} }).Image()))
		}
		pass(roundTrip)
		a.wantTold("joined 10.0.0.2", "joined 10.0.0.3", "joined 10.0.0.4")
	})
}

func TestReasonTexts(t *testing.T) {
	seen := make(map[string]bool)
	for r := range numReasons {
		text := r.String()
		if text == "" || seen[text] {
			t.Errorf("reason %d: String() = %q, want a text of its own", r, text)
		}
		seen[text] = true
	}
	if got := imageReason(errors.New("x")); got != badImage {
		t.Errorf("imageReason() of a foreign error = %v, want %v", got, badImage)
	}
}

// Whoever is announced from another address is taken, for that may be honest;
// each such datagram is counted, and the log has a line.
func TestForeignSourceIsTold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newEther()
		a := e.join(t, 1)
		e.join(t, 2)
		pass(10 * time.Millisecond)
		a.wantTold("joined 10.0.0.2")
		m := newMember(t, 7, nil)
		const n = 5
		for i := range int64(n) {
			e.inject(attacker, m.AppendImage(nil, 1000*i))
			pass(time.Second)
		}
		a.wantTold("joined 10.0.0.7")
		if got := a.Stats().ForeignSource; got != n {
			t.Errorf("%d datagrams from foreign addresses counted, want %d", got, n)
		}
		if got := a.log.Lines("announced from another address"); got != 1 {
			t.Errorf("%d log lines, want 1:\n%s", got, a.log)
		}
	})
}
