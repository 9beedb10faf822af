package static

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Messages that are none of the service's business pass as they are.
func TestOtherMessagesPassUntouched(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2), Name: "ours"})
		e.start()
		other, err := New(Config{Members: list(2, 2), Name: "theirs"})
		if err != nil {
			t.Fatal(err)
		}
		longer, err := New(Config{Members: list(2, 2), Name: "yours and ours"})
		if err != nil {
			t.Fatal(err)
		}
		from := newMember(t, addr(3))
		bytesCall := javaser.AppendRPCBytes(nil, false, make([]byte, 16), []byte("an rpc channel"), []byte("argument"))
		for _, test := range []struct {
			name string
			m    *message.Message
		}{
			{"question of another membership", questionFrom(t, other, from, nil, javaser.MemberStart, callID{1}, false)},
			{"answer of another membership", questionFrom(t, other, from, nil, javaser.MemberStart, callID{1}, true)},
			{"goodbye of another membership", notice(t, other, from, nil, javaser.MemberStop)},
			{"membership whose name ends alike", questionFrom(t, longer, from, nil, javaser.MemberStart, callID{1}, false)},
			{"call of the application", object(bytesCall, from, nil)},
			{"call with our id in its argument", object(javaser.AppendRPCBytes(nil, false, make([]byte, 16), []byte("x"), e.mark), from, nil)},
			{"object of the application", object([]byte("\xac\xed\x00\x05t\x00\x02hi"), from, nil)},
			{"no object", object([]byte("hi"), from, nil)},
			{"nothing", object(nil, from, nil)},
			{"bytes that look like a goodbye", func() *message.Message {
				m := notice(t, e.Service, from, nil, javaser.MemberStop)
				m.Options |= message.ByteMessage
				return m
			}()},
		} {
			want := test.m.Clone()
			e.mu.Lock()
			e.passed = nil
			e.mu.Unlock()
			e.receive(test.m)
			if len(e.passed) != 1 || !bytes.Equal(e.passed[0].Payload(), want.Payload()) || e.passed[0].Options != want.Options {
				t.Errorf("%s: %d messages passed, want it as it was", test.name, len(e.passed))
			}
		}
		if got := e.drops(); len(got) != 0 {
			t.Errorf("dropped %v, want nothing", got)
		}
	})
}

// hostile are messages that are dropped, each for its reason.
func hostile(t testing.TB, s *Service, from *membership.Member) map[string]struct {
	m      *message.Message
	reason string
} {
	type bad = struct {
		m      *message.Message
		reason string
	}
	rpc := func(inside javaser.Value, id []byte) *message.Message {
		b, err := javaser.AppendRPC(nil, &javaser.RPC{UUID: make([]byte, 16), ID: id, Message: inside})
		if err != nil {
			t.Fatal(err)
		}
		return object(b, from, nil)
	}
	plain := func(mm *javaser.MemberMessage) *message.Message {
		b, err := javaser.Append(nil, mm)
		if err != nil {
			t.Fatal(err)
		}
		return object(b, from, nil)
	}
	withImage := func(image string) *javaser.MemberMessage {
		return &javaser.MemberMessage{Type: javaser.MemberStart, MembershipID: s.id, Member: &javaser.Member{Image: []byte(image)}}
	}
	cut := func(m *message.Message, n int) *message.Message {
		m.Trim(n)
		return m
	}
	undialable := newMember(t, netip.AddrPortFrom(netip.IPv4Unspecified(), 4000))
	noPort := newMember(t, netip.AddrPortFrom(addr(3).Addr(), 0))
	return map[string]bad{
		"call without a message":          {rpc(nil, s.id), dropNoMember},
		"call with bytes":                 {rpc(&javaser.ByteMessage{Data: []byte("x")}, s.id), dropNoMember},
		"call with a string":              {rpc(javaser.NewString("x"), s.id), dropNoMember},
		"call with a bare member":         {rpc(&javaser.Member{Image: []byte(from.Image())}, s.id), dropNoMember},
		"call without a member":           {rpc(&javaser.MemberMessage{Type: javaser.MemberStart, MembershipID: s.id}, s.id), dropNoMember},
		"call of an unknown kind":         {rpc(said(s.id, from, 7), s.id), dropKind},
		"call to say goodbye":             {rpc(said(s.id, from, javaser.MemberStop), s.id), dropKind},
		"call with an empty image":        {rpc(withImage(""), s.id), dropMalformed},
		"call with a damaged image":       {rpc(withImage(from.Image()[:40]), s.id), dropMalformed},
		"call with too long an image":     {rpc(withImage(from.Image()+"x"), s.id), dropMalformed},
		"call that ends early":            {cut(rpc(said(s.id, from, javaser.MemberStart), s.id), 9), dropMalformed},
		"call that is too large":          {rpc(&javaser.ByteMessage{Data: make([]byte, 1<<20)}, s.id), dropMalformed},
		"call of no dialable member":      {questionFrom(t, s, undialable, nil, javaser.MemberStart, callID{}, false), dropAddress},
		"call of a member without a port": {questionFrom(t, s, noPort, nil, javaser.MemberStart, callID{}, false), dropAddress},
		"notice without a member":         {plain(&javaser.MemberMessage{Type: javaser.MemberStop, MembershipID: s.id}), dropNoMember},
		"notice of an unknown kind":       {plain(said(s.id, from, -1)), dropKind},
		"notice that is cut":              {cut(plain(said(slices.Concat(s.id, s.mark, []byte("tail")), from, javaser.MemberStop)), 3), dropMalformed},
	}
}

func TestMalformedMessagesAreCounted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		e.start()
		from := newMember(t, addr(3))
		for name, bad := range hostile(t, e.Service, from) {
			e.mu.Lock()
			e.dropped, e.passed = nil, nil
			e.mu.Unlock()
			e.receive(bad.m)
			if got := e.drops(); !slices.Equal(got, []string{bad.reason}) || len(e.passed) != 0 {
				t.Errorf("%s: dropped %q and passed %d, want it dropped as %q", name, got, len(e.passed), bad.reason)
			}
		}
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
		if got := w.parcels(addr(3)); len(got) != 0 {
			t.Errorf("%d messages to the sender, want none", len(got))
		}
	})
}

// Truncations and single flipped bits of all that the service takes never panic,
// and no damage to the member in them makes another one join.
func TestDamagedMessages(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		e.start()
		from := newMember(t, addr(3))
		for _, m := range []*message.Message{
			questionFrom(t, e.Service, from, nil, javaser.MemberStart, callID{1}, false),
			questionFrom(t, e.Service, from, nil, javaser.MemberStart, callID{1}, true),
			notice(t, e.Service, from, nil, javaser.MemberStop),
		} {
			for i := range m.Len() {
				cut := m.Clone()
				cut.Trim(m.Len() - i)
				e.receive(cut)
			}
			for bit := range 8 * m.Len() {
				flipped := m.Clone()
				flipped.Payload()[bit/8] ^= 1 << (bit % 8)
				e.receive(flipped)
			}
		}
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
	})
}

func TestTableLimit(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		e.table.Limit = 3
		e.start()
		for i := 2; i < 10; i++ {
			w.end(i, Config{Members: list(1, 1)}).start()
		}
		time.Sleep(time.Minute)
		if got := e.View().Len(); got != 3 {
			t.Errorf("%d members, want the 3 that the table may have", got)
		}
		if got := e.told(); len(got) != 3 {
			t.Errorf("told %v, want 3 joins", got)
		}
		if log := e.log(); !strings.Contains(log, "table full") || strings.Count(log, "\n") > 60 {
			t.Errorf("log = %.2000s, want some lines about the table", log)
		}
	})
}

// A flood of strangers that do not exist costs memory, connections and lines of
// the log up to the limits, and delays no real member.
func TestFloodOfStrangers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		e.limits = limits{strangers: 100, checking: 10, answering: 10}
		e.start()
		b := w.end(2, Config{Members: list(1, 1)})
		for i := 1000; i < 2000; i++ {
			w.swallow(addr(i), true)
			from := newMember(t, addr(i))
			e.receive(questionFrom(t, e.Service, from, nil, javaser.MemberStart, callID{}, false))
			e.receive(notice(t, e.Service, newMember(t, addr(i)), nil, javaser.MemberStop))
		}
		synctest.Wait()
		e.Service.mu.Lock()
		strangers, checking, answering, departed := len(e.strangers), e.checking, e.answering, len(e.departed)
		e.Service.mu.Unlock()
		if strangers > 100 || checking > 10 || answering > 10 || departed > 100 {
			t.Errorf("%d strangers, %d checks, %d answers, %d goodbyes; want at most 100, 10, 10 and 100",
				strangers, checking, answering, departed)
		}
		b.start()
		until(t, DefaultMaxPause+hop, "the real member", func() bool { return e.sees(b) && b.sees(e) })
		b.stop() // else it might be answered just when this looks
		time.Sleep(time.Minute)
		if got := strings.Count(e.log(), "\n"); got > 2*logSources {
			t.Errorf("%d lines in the log", got)
		}
		e.Service.mu.Lock()
		defer e.Service.mu.Unlock()
		if len(e.strangers) != 0 || len(e.departed) != 0 || e.checking != 0 || e.answering != 0 {
			t.Errorf("after a minute %d strangers, %d goodbyes, %d checks, %d answers; want none",
				len(e.strangers), len(e.departed), e.checking, e.answering)
		}
	})
}

// An answer counts for its call alone: to guess is hopeless, and to answer twice
// too.
func TestAnswerWithoutQuestion(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(2, 2)})
		w.swallow(addr(2), true)
		e.start()
		synctest.Wait()
		claimed := newMember(t, addr(2))
		for i := range 100 {
			e.receive(questionFrom(t, e.Service, claimed, nil, javaser.MemberStart, callID{byte(i)}, true))
		}
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
	})
}

// Who uses our own address or id is told of in the log and never asked there.
func TestOurAddressAndID(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(1, 1)})
		e.start()
		e.receive(questionFrom(t, e.Service, newMember(t, addr(1)), nil, javaser.MemberStart, callID{}, false))
		twin, err := e.local.With(func(a *membership.Attributes) { a.Port++ })
		if err != nil {
			t.Fatal(err)
		}
		e.receive(questionFrom(t, e.Service, twin, nil, javaser.MemberStart, callID{}, false))
		time.Sleep(time.Minute)
		for _, want := range []string{oddAddress, oddID} {
			if log := e.log(); strings.Count(log, want) != 1 {
				t.Errorf("log = %s, want one line with %q", log, want)
			}
		}
		if got := e.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
	})
}

// Whoever serves another membership there says so, and a human is told.
func TestOtherNameIsToldOf(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(1, 2), Name: "a"})
		b := w.end(2, Config{Members: list(1, 2), Name: "b"})
		a.start()
		b.start()
		time.Sleep(time.Minute)
		for _, e := range []*end{a, b} {
			if log := e.log(); !strings.Contains(log, errNoChannel.Error()) || strings.Count(log, "\n") != 1 {
				t.Errorf("log of %s = %s, want one line that says that the name is another one", e.local, log)
			}
			if e.View().Len() != 0 {
				t.Errorf("%s sees %v, want nobody", e.local, e.View().Members)
			}
		}
	})
}

// Messages of the application are signs of life: a link that is full of them
// may have no room for answers.
func TestMessagesAreSignsOfLife(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		a, b := all[0], all[1]
		w.swallow(addr(2), true)
		w.swallow(addr(1), true)
		for range 60 {
			m := object([]byte("x"), b.local, nil)
			m.Options = message.ByteMessage
			a.receive(m)
			time.Sleep(time.Second)
		}
		if got := a.told(); len(got) != 1 || !a.sees(b) {
			t.Errorf("told %v, want a join: the member sends messages", got)
		}
		if !b.sees() {
			t.Errorf("the silent one is still seen: %v", b.View().Members)
		}
		until(t, DefaultExpiration+2*hop, "the end", func() bool { return a.sees() })
	})
}

func TestUpdateTravelsAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(3, Config{Members: list(50, 60)})
		until(t, time.Second, "a whole group", whole(all))
		time.Sleep(20 * time.Second) // the dead addresses pause
		dead := len(w.parcels(addr(50)))
		next, err := all[0].local.With(func(a *membership.Attributes) { a.Payload = "new" })
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			all[0].Update(next)
		}
		until(t, 2*hop, "the new payload", func() bool {
			for _, e := range all[1:] {
				if ev := e.lastEvent(next); ev.Kind != membership.Updated || ev.Member.Payload() != "new" {
					return false
				}
			}
			return true
		})
		if got := len(w.parcels(addr(50))) - dead; got != 0 {
			t.Errorf("%d questions to a dead address at an update, want none", got)
		}
	})
}
