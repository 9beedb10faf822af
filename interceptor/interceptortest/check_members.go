package interceptortest

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// checkEvents: a layer may delay events, but each member that stays is
// announced once, one that leaves or fails is taken back once, and whatever the
// view shows at an event is what the events so far add up to.
func checkEvents(tb testing.TB, s Suite) {
	h := s.harness(tb)
	shown := make(map[membership.Key]bool)
	h.Top.Watch(func(ev membership.Event) {
		agree(tb, h, shown, ev)
	})
	all := Members(2, 6)
	h.Join(all...)
	eventually(tb, h, "5 members announced", func() bool { return h.View().Len() == len(all) })
	h.Part(membership.Left, all[0])
	h.SetProbe(unreachable)
	h.Part(membership.Failed, all[1])
	eventually(tb, h, "2 members gone", func() bool { return h.View().Len() == len(all)-2 })
	h.SetProbe(nil)
	h.Join(all[1])
	eventually(tb, h, "one member back", func() bool { return h.View().Len() == len(all)-1 })
	changed, err := all[2].With(func(a *membership.Attributes) { a.Payload = "new" })
	if err != nil {
		tb.Fatal(err)
	}
	h.Event(membership.Event{Kind: membership.Updated, Member: changed, At: time.Now()})
	eventually(tb, h, "an update", func() bool {
		return slices.ContainsFunc(h.Top.Events(), func(ev membership.Event) bool {
			return ev.Kind == membership.Updated && ev.Member.Payload() == "new"
		})
	})
}

// agree checks one event against those before it and the view.
func agree(tb testing.TB, h *Harness, shown map[membership.Key]bool, ev membership.Event) {
	k := ev.Member.Key()
	switch {
	case ev.Kind == membership.Joined && shown[k]:
		tb.Errorf("%s was announced twice", ev.Member)
	case ev.Kind != membership.Joined && !shown[k]:
		tb.Errorf("%s %s, but was not announced", ev.Member, ev.Kind)
	}
	switch ev.Kind {
	case membership.Joined:
		shown[k] = true
	case membership.Left, membership.Failed:
		delete(shown, k)
	}
	if got := h.View().Find(k) != nil; got != shown[k] && slices.Contains(keys(h.Bottom.View()), k) == shown[k] {
		tb.Errorf("at the event %s %s: in the view: %t, want %t", ev.Member, ev.Kind, got, shown[k])
	}
}

func keys(v *membership.View) []membership.Key {
	var all []membership.Key
	for _, m := range v.Members {
		all = append(all, m.Key())
	}
	return all
}

func checkFaults(tb testing.TB, s Suite) {
	h := s.harness(tb)
	m, id := Member(2), message.NewID()
	h.Join(m)
	h.Flush()
	h.Fault(m, id, errBelow)
	synctest.Wait()
	got := h.Top.Faults()
	if len(got) != 1 || got[0].Member != m || got[0].ID != id || !errors.Is(got[0].Err, errBelow) {
		tb.Errorf("Fault passed up as %v, want one with what came from below", got)
	}
}

// checkViews: an agreed view from a layer below passes.
func checkViews(tb testing.TB, s Suite) {
	h := s.harness(tb)
	v := &membership.Agreed{Seq: 1, ID: membership.NewViewID(1), Members: Members(1, 2)}
	h.Agree(v)
	h.Flush()
	if !slices.Contains(h.Top.Views(), v) {
		tb.Errorf("an agreed view passed up as %v, want it as it came", h.Top.Views())
	}
}

// eventually waits in virtual time until ok.
func eventually(tb testing.TB, h *Harness, what string, ok func() bool) {
	tb.Helper()
	end := time.Now().Add(patience)
	for {
		synctest.Wait()
		if ok() {
			return
		}
		if time.Now().After(end) {
			tb.Fatalf("not within %v: %s (the view has %d members)", patience, what, h.View().Len())
		}
		<-time.After(10 * time.Millisecond)
	}
}
