package static

import (
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
)

// The answerer announces another address than the one on the list: it is taken
// at the address that it announces, and the one on the list is left alone.
func TestAnnouncedAddressDiffers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a, b := w.end(1, Config{Members: list(1, 2)}), w.end(12, Config{Members: list(11, 12)})
		w.route(addr(2), b.receive)
		w.route(addr(11), a.receive)
		a.start()
		b.start()
		both := whole([]*end{a, b})
		until(t, time.Second, "both see each other", both)
		time.Sleep(time.Minute)
		before := len(a.forgot())
		dialled := len(w.parcels(addr(2)))
		time.Sleep(time.Minute)
		if !both() || len(a.told()) != 1 || len(b.told()) != 1 {
			t.Errorf("told %v and %v, want one join each", a.told(), b.told())
		}
		if got := len(a.forgot()) - before; got != 0 {
			t.Errorf("%d connections were closed in a minute, want none", got)
		}
		if got, want := len(w.parcels(addr(2)))-dialled, 7; got > want {
			t.Errorf("%d questions in a minute to the address on the list, want at most %d: one each MaxPause", got, want)
		}
	})
}

// A member that cannot be reached at the address that it announces could be sent
// nothing. It is never taken, and somebody is told why.
func TestAnnouncedAddressCannotBeReached(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		a, b := w.end(1, Config{Members: list(1, 2)}), w.end(12, Config{Members: list(1, 1)})
		w.route(addr(2), b.receive)
		w.route(addr(12), nil)
		a.start()
		b.start()
		time.Sleep(time.Hour)
		if got := a.told(); len(got) != 0 {
			t.Errorf("told %v, want nothing", got)
		}
		if log := a.log(); !strings.Contains(log, "does not answer as such") || strings.Count(log, "\n") > 400 {
			t.Errorf("log has %d lines, want some about the announced address, at most one in 10 s:\n%.1000s", strings.Count(log, "\n"), log)
		}
		if got := len(w.parcels(addr(12))); got > 2*400 {
			t.Errorf("%d messages in an hour to an address that cannot be reached, want a question and an answer each 10 s", got)
		}
	})
}

// The links that were made in the name of nobody in particular are closed once,
// and those to the member stay.
func TestStandInIsForgottenOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		all := w.group(2, Config{})
		until(t, time.Second, "a whole group", whole(all))
		time.Sleep(5 * time.Minute)
		for _, e := range all {
			got := e.forgot()
			if len(got) != 1 || !got[0].ID().IsZero() {
				t.Errorf("%s closed the links to %v, want those of one stand-in", e.local, got)
			}
		}
	})
}
