package static

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// What Java wrote for a START of tcp://{10, 11, 0, 2}:4001, alive for 4242 ms,
// in the membership of a channel with the name "chan". It is cut where a remote
// call that carries it differs from a message of its own: behind the header of
// the stream.
const javaStart = "" +
	"7372004c6f72672e6170616368652e636174616c696e612e7472696265732e6d656d626572736869702e" + // class name
	"5374617469634d656d6265727368697050726f7669646572244d656d6265724d657373616765" +
	"000000000000000102000349" + // version, flags, three fields
	"00076d7367747970654c00066d656d6265727400234c6f72672f6170616368652f636174616c696e612f7472696265732f4d656d6265723b" +
	"5b000c6d656d6265727368697049647400025b4278700000" +
	"0001" + // START
	"737200306f72672e6170616368652e636174616c696e612e7472696265732e6d656d626572736869702e4d656d626572496d706c" +
	"8476f37b32953667" + // version of MemberImpl in 10.1
	"0c0000787077510000004d" +
	"5452494245532d42010000000035" +
	"0000000000001092" + // alive
	"00000fa1ffffffffffffffff040a0b00020000000000000000" +
	"089aa690723a4445ae8d9e64172aeea0" + // unique id
	"000000005452494245532d450100" +
	"787572" + "00025b42acf317f8060854e00200007870" +
	"000000156368616e2d5374617469634d656d62657273686970" // chan-StaticMembership

// The head of a remote call, up to its block data.
const javaCall = "aced00057372002b6f72672e6170616368652e636174616c696e612e7472696265732e67726f75702e5270634d657373616765" +
	"712a750ff274e5090c00007870"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// javaMember is the member of javaStart.
func javaMember(t testing.TB) *membership.Member {
	t.Helper()
	id, err := membership.ParseID("089aa690723a4445ae8d9e64172aeea0")
	if err != nil {
		t.Fatal(err)
	}
	m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.11.0.2"), Port: 4001,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestBytesAreThoseOfJava compares what goes out with what Java wrote: question,
// answer and goodbye.
func TestBytesAreThoseOfJava(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.endOf(javaMember(t), Config{Name: "chan", Members: list(2, 2)})
		var mu sync.Mutex
		var calls []*javaser.RPC
		w.route(addr(2), func(m *message.Message) {
			if call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{}); err == nil {
				mu.Lock()
				calls = append(calls, call)
				mu.Unlock()
			}
		})
		e.start()
		time.Sleep(hop)
		asker := newMember(t, addr(2))
		time.Sleep(4242*time.Millisecond - hop)
		e.receive(questionFrom(t, e.Service, asker, nil, javaser.MemberStart, callID{1, 2, 3}, false))
		synctest.Wait()
		time.Sleep(hop)
		sent := w.parcels(addr(2))
		alive := func(p parcel, hexAlive string) []byte {
			b := bytes.Replace(p.payload, unhex(t, hexAlive+"00000fa1"), unhex(t, "000000000000109200000fa1"), 1)
			return b
		}
		block := func(reply string, id []byte) string {
			return "772e" + reply + "00000010" + hex.EncodeToString(id) + "000000156368616e2d5374617469634d656d62657273686970"
		}
		// The first message is the START, alive for 0 ms.
		mu.Lock()
		first := calls[0]
		mu.Unlock()
		want := unhex(t, javaCall+block("00", first.UUID)+javaStart+"78")
		if got := alive(sent[0], "0000000000000000"); !bytes.Equal(got, want) {
			t.Errorf("START\n got %x\nwant %x", got, want)
		}
		// The answer to START.
		want = unhex(t, javaCall+block("01", (&callID{1, 2, 3})[:])+javaStart+"78")
		var answers int
		for _, p := range sent {
			if bytes.Equal(p.payload, want) {
				answers++
			}
			if p.options != message.Async {
				t.Errorf("a message has the options %v, want %v", p.options, message.Async)
			}
		}
		if answers != 1 {
			t.Errorf("%d answers with the bytes %x, want 1", answers, want)
		}
		checkJavaGoodbye(t, w, e)
	})
}

// checkJavaGoodbye stops e and compares its last words with those of Java.
func checkJavaGoodbye(t *testing.T, w *wire, e *end) {
	e.stop()
	sent := w.parcels(addr(2))
	last := sent[len(sent)-1]
	mm, err := javaser.DecodeMemberMessage(last.payload, javaser.Limits{})
	if err != nil {
		t.Fatalf("the last message is no member message: %v", err)
	}
	m, _, err := membership.Decode(mm.Member.Image)
	if err != nil {
		t.Fatal(err)
	}
	if mm.Type != javaser.MemberStop || !m.Leaving() || m.Key() != e.local.Key() || last.options != message.Async {
		t.Errorf("the last message is of kind %d with %s, command %q, options %v; want STOP with the leave command and %v",
			mm.Type, m, m.Command(), last.options, message.Async)
	}
	// But for kind and member it has the bytes of Java's START.
	mm.Type, mm.Member.Image = javaser.MemberStart, nil
	start, err := javaser.DecodeMemberMessage(unhex(t, "aced0005"+javaStart), javaser.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	start.Member.Image = nil
	if diff := cmp.Diff(start, mm); diff != "" {
		t.Errorf("goodbye differs from Java's (-want +got):\n%s", diff)
	}
}

// TestJavaMessagesAreUnderstood gives the service what Java wrote.
func TestJavaMessagesAreUnderstood(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Name: "chan", Members: list(2, 2)})
		e.start()
		java := javaMember(t)
		// The peer answers with what Java wrote, and its call's id in front.
		w.route(java.AddrPort(), func(m *message.Message) {
			call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
			if err != nil || call.Reply {
				return
			}
			answer := javaCall + "772e01" + "00000010" + hex.EncodeToString(call.UUID) +
				"000000156368616e2d5374617469634d656d62657273686970" + javaStart + "78"
			reply := object(unhex(t, answer), java, nil)
			reply.Options = 0 // what Java answers with
			e.receive(reply)
		})
		e.receive(object(unhex(t, javaCall+"772e"+"00"+"00000010"+"000102030405060708090a0b0c0d0e0f"+
			"000000156368616e2d5374617469634d656d62657273686970"+javaStart+"78"), java, nil))
		until(t, time.Second, "the Java node", func() bool { return e.View().Find(java.Key()) != nil })
		time.Sleep(time.Minute)
		if got := e.told(); len(got) != 1 {
			t.Errorf("told %v, want one join", got)
		}
		goodbye := bytes.Replace(unhex(t, "aced0005"+javaStart), []byte{0, 0, 0, 1, 's'}, []byte{0, 0, 0, 2, 's'}, 1)
		e.receive(object(goodbye, java, nil))
		time.Sleep(hop)
		if ev := e.lastEvent(java); ev.Kind != membership.Left {
			t.Errorf("told %v, want that it left", e.told())
		}
		if got := e.drops(); len(got) != 0 {
			t.Errorf("dropped %v, want nothing", got)
		}
	})
}

func TestMembershipID(t *testing.T) {
	for _, test := range []struct{ name, config, want string }{
		{"no name", "", "null-StaticMembership"},
		{"plain", "chan", "chan-StaticMembership"},
		{"umlaut", "K\u00f6ln", "K\xf6ln-StaticMembership"},
		{"beyond Latin 1", "\u20ac\u4e2d\U0001f600x", "???x-StaticMembership"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Config{Name: test.config}
			if got := string(c.membershipID()); got != test.want {
				t.Errorf("membershipID(%q) = %q, want %q", test.config, got, test.want)
			}
		})
	}
}

// uids are the class versions of members in what was sent to an address.
func (w *wire) uids(at netip.AddrPort) (all []int64) {
	for _, p := range w.parcels(at) {
		if call, err := javaser.DecodeRPC(p.payload, javaser.Limits{}); err == nil {
			if mm, ok := call.Message.(*javaser.MemberMessage); ok {
				all = append(all, mm.Member.UID)
			}
		} else if mm, err := javaser.DecodeMemberMessage(p.payload, javaser.Limits{}); err == nil {
			all = append(all, mm.Member.UID)
		}
	}
	return all
}

// Members get the class version of Config.JavaUID, until they have said
// something: then they get their own, also in the goodbye.
func TestClassVersionOfMembers(t *testing.T) {
	for _, configured := range []int64{0, Java9, Java100, Java101} {
		for _, spoken := range []int64{Java9, Java100, Java101, 77} {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				a := w.end(1, Config{Members: list(2, 2), JavaUID: configured})
				b := w.end(2, Config{Members: list(1, 1), JavaUID: spoken})
				want := configured
				if want == 0 {
					want = Java101
				}
				a.start()
				time.Sleep(hop / 2)
				if got := w.uids(addr(2)); len(got) != 1 || got[0] != want {
					t.Errorf("JavaUID %x: first question with %x, want one with %x", configured, got, want)
				}
				b.start()
				until(t, time.Second, "both see each other", whole([]*end{a, b}))
				time.Sleep(time.Minute)
				a.stop()
				got := w.uids(addr(2))
				for _, uid := range got[len(got)-30:] {
					// b speaks with what it hears, so both agree on one of the two.
					if uid != want && uid != spoken {
						t.Errorf("a message with %x, want %x or %x", uid, want, spoken)
					}
				}
			})
		}
	}
}

// A Java node drops what has another version than its own. One that dials us is
// answered in its own all the same.
func TestAnswerInTheClassVersionOfTheQuestion(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		e := w.end(1, Config{Members: list(9, 9)})
		e.start()
		java := newMember(t, addr(2))
		var wrong []int64
		var mu sync.Mutex
		w.route(addr(2), func(m *message.Message) {
			mu.Lock()
			defer mu.Unlock()
			uid := int64(Java9)
			call, err := javaser.DecodeRPC(m.Payload(), javaser.Limits{})
			if err == nil {
				uid = call.Message.(*javaser.MemberMessage).Member.UID
			} else if mm, err := javaser.DecodeMemberMessage(m.Payload(), javaser.Limits{}); err == nil {
				uid = mm.Member.UID
			}
			if uid != Java9 {
				wrong = append(wrong, uid)
				return
			}
			if err == nil && !call.Reply {
				go e.receive(java9(t, e.Service, java, callID(call.UUID), true)) // ends with that
			}
		})
		e.receive(java9(t, e.Service, java, callID{1}, false))
		until(t, time.Second, "the Java node", func() bool { return e.View().Find(java.Key()) != nil })
		time.Sleep(time.Minute)
		e.stop()
		time.Sleep(hop)
		mu.Lock()
		defer mu.Unlock()
		if len(wrong) != 0 || len(e.told()) != 1 {
			t.Errorf("told %v; messages with the versions %x, want all with that of the node", e.told(), wrong)
		}
	})
}

// java9 is a PING of a node of 9.0, or its answer.
func java9(t testing.TB, s *Service, from *membership.Member, id callID, reply bool) *message.Message {
	t.Helper()
	mm := said(s.id, from, javaser.MemberPing)
	mm.Member.UID, mm.Member.Static = Java9, true
	b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: reply, UUID: id[:], ID: s.id, Message: mm})
	if err != nil {
		t.Fatal(err)
	}
	return object(b, from, nil)
}

// The time of day, which Java writes where it re-encodes a member, and negative
// times are no age.
func TestAliveTimesThatAreNotBelieved(t *testing.T) {
	for _, test := range []struct {
		name        string
		alive, want int64
	}{
		{"an hour", 3_600_000, 3_600_000},
		{"time of day", 1_790_000_000_000, 0},
		{"negative", -5, 0},
		{"largest", 1<<63 - 1, 0},
		{"smallest", -1 << 63, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			from, err := newMember(t, addr(2)).With(func(a *membership.Attributes) { a.Alive = test.alive })
			if err != nil {
				t.Fatal(err)
			}
			s := &Service{}
			got, wrong := s.about(object(nil, from, nil), said(nil, from, javaser.MemberStart))
			if wrong != "" || got.Attributes().Alive != test.want {
				t.Errorf("about(alive %d) = %d, %q, want %d", test.alive, got.Attributes().Alive, wrong, test.want)
			}
		})
	}
}
