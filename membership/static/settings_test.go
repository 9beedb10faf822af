package static

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// A member that is there is asked each Ping.
func TestPing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a := w.end(1, Config{Members: list(2, 2), Ping: 200 * time.Millisecond})
		b := w.end(2, Config{Members: list(9, 9), Ping: time.Hour, Expiration: 3 * time.Hour}) // it asks nothing
		b.start()
		a.start()
		until(t, time.Second, "the other member", func() bool { return a.sees(b) })
		before := len(w.parcels(addr(2)))
		time.Sleep(time.Minute)
		// The pause is up to a tenth shorter, and begins when the answer is there.
		if got := len(w.parcels(addr(2))) - before; got < 250 || got > 310 {
			t.Errorf("%d questions in a minute, want one each 180 to 220 ms", got)
		}
	})
}

// A question is given up after Timeout, also one to an address where nobody is
// known, and so is an answer that cannot be sent.
func TestTimeout(t *testing.T) {
	for _, timeout := range []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond} {
		t.Run(timeout.String(), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				w.swallow(addr(2), true)
				w.end(1, Config{Members: list(2, 2), Timeout: timeout}).start()
				time.Sleep(10 * time.Second)
				got := w.pauses(2)
				if len(got) == 0 || got[0] < timeout || got[0] > timeout+firstPause {
					t.Errorf("pauses %v, want the first to be %v and up to %v", got, timeout, firstPause)
				}
			})
		})
	}
}

// An answer that nobody takes is given up after Timeout.
func TestTimeoutOfAnswers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		const timeout = 500 * time.Millisecond
		a := w.end(1, Config{Members: list(9, 9), Timeout: timeout})
		b := w.end(2, Config{Members: list(1, 1)})
		a.start()
		w.swallow(addr(2), true) // what a sends to b is lost, what b asks arrives
		b.start()
		answering := func() int {
			a.Service.mu.Lock()
			defer a.Service.mu.Unlock()
			return a.answering
		}
		until(t, time.Second, "a question", func() bool { return answering() == 1 })
		until(t, timeout+hop, "the end of the answer", func() bool { return answering() == 0 })
	})
}

// The resolver is asked each Refresh.
func TestRefresh(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		b := new(book)
		b.set(nil, addr(2))
		w.end(1, Config{Resolver: b, Refresh: 2 * time.Second}).start()
		time.Sleep(time.Minute + time.Second)
		if got := b.times(); got != 31 {
			t.Errorf("the resolver was asked %d times in a minute, want 31: at the start and each Refresh", got)
		}
	})
}

// A member that announces a loopback address is of no use to other machines.
func TestLoopbackIsForOneMachine(t *testing.T) {
	for _, tt := range []struct {
		name     string
		peers    []Peer
		announce bool
		fails    bool
	}{
		{"other machine", []Peer{{Addr: "127.0.0.1:4001"}, {Addr: "10.0.0.2:4000"}}, true, true},
		{"IPv6", []Peer{{Addr: "[2001:db8::2]:4000"}}, true, true},
		{"same machine", []Peer{{Addr: "127.0.0.1:4001"}, {Addr: "[::1]:4001"}, {Addr: "localhost:4002"}}, true, false},
		{"not announced", list(2, 2), false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w := newWire(t)
				e := w.endOf(newMember(t, netip.MustParseAddrPort("127.0.0.1:4000")), Config{Members: tt.peers})
				err := e.Start(t.Context(), e.env(true, tt.announce))
				if (err != nil) != tt.fails || err != nil && !strings.Contains(err.Error(), "Advertise") {
					t.Errorf("Start() = %v, want an error: %v", err, tt.fails)
				}
			})
		})
	}
}
