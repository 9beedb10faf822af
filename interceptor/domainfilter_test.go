package interceptor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// roll is a layer that stands for a membership with a table.
type roll struct {
	table membership.Table
	above channel.Up
}

func (r *roll) BindDown(_ channel.Host, below channel.Down) (channel.Down, error) {
	below.View = r.table.View
	return below, nil
}

func (r *roll) BindUp(above channel.Up) channel.Up {
	r.above = above
	return above
}

// play lets members come and go: "join 2 red" for member 2 of domain red, which
// is an update if it is there, "left 2" or "failed 2 red".
func (r *roll) play(t *testing.T, script string) {
	t.Helper()
	for line := range strings.SplitSeq(script, ", ") {
		words := append(strings.Fields(line), "")
		var n int
		if _, err := fmt.Sscan(words[1], &n); err != nil {
			t.Fatal(err)
		}
		m := inDomain(t, n, words[2])
		var ev membership.Event
		var changed bool
		switch words[0] {
		case "left":
			ev, changed = r.table.Remove(membership.Left, m, time.Now())
		case "failed":
			ev, changed = r.table.Remove(membership.Failed, m, time.Now())
		default:
			ev, changed, _ = r.table.Heard(m, time.Now()) // the table is large enough
		}
		if changed {
			r.above.Event(ev)
		}
	}
}

// inDomain is the member number n in a domain; the higher, the younger, by hours.
func inDomain(t *testing.T, n int, domain string) *membership.Member {
	t.Helper()
	m, err := interceptortest.Member(n).With(func(a *membership.Attributes) {
		a.Domain = domain
		a.Alive = int64(1000-n) * time.Hour.Milliseconds()
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func newDomainFilter(t *testing.T, f *DomainFilter, cfg interceptortest.Config) (*interceptortest.Harness, *roll) {
	t.Helper()
	r := new(roll)
	h := interceptortest.New(t, cfg, f, r)
	h.Start()
	return h, r
}

// story is the events as they reached the application.
func story(h *interceptortest.Harness) string {
	var all []string
	for _, ev := range h.Top.Events() {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", ev.Kind, place(ev.Member), ev.Member.Domain())))
	}
	return strings.Join(all, ", ")
}

func place(m *membership.Member) string { return fmt.Sprint(m.Host().As4()[3]) }

func listed(v *membership.View) string {
	var all []string
	for _, m := range v.Members {
		all = append(all, place(m))
	}
	return strings.Join(all, " ")
}

func TestDomainFilterMembers(t *testing.T) {
	tests := []struct {
		name   string
		domain string
		script string
		events string
		view   string
	}{
		{"own domain", "red", "join 2 red, join 3 red, left 2 red, failed 3 red",
			"joined 2 red, joined 3 red, left 2 red, failed 3 red", ""},
		{"other domain", "red", "join 2 blue, join 3, join 4 red, left 2 blue, failed 3", "joined 4 red", "4"},
		{"no domain", "", "join 2 blue, join 3", "joined 3", "3"},
		{"part of a name", "red", "join 2 re, join 3 redd", "", ""},
		{"oldest first", "red", "join 4 red, join 2 red, join 5 blue, join 3 red",
			"joined 4 red, joined 2 red, joined 3 red", "2 3 4"},
		{"away and back", "red", "join 2 red, failed 2 red, join 2 red", "joined 2 red, failed 2 red, joined 2 red", "2"},
		{"it changes to another", "red", "join 2 red, join 2 blue", "joined 2 red, left 2 blue", ""},
		{"it changes to ours", "red", "join 2 blue, join 2 red", "joined 2 red", "2"},
		{"it changes there and back", "red", "join 2 red, join 2 blue, join 2 red, left 2 red",
			"joined 2 red, left 2 blue, joined 2 red, left 2 red", ""},
		{"it changes and goes", "red", "join 2 red, join 2 blue, failed 2 blue", "joined 2 red, left 2 blue", ""},
		{"it changes with its goodbye", "red", "join 2 red, left 2 blue", "joined 2 red, left 2 blue", ""},
		{"it changes between others", "red", "join 2 blue, join 2 green, join 2", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, r := newDomainFilter(t, &DomainFilter{Domain: tt.domain}, interceptortest.Config{})
			visible := make(map[string]bool)
			h.Top.Watch(func(ev membership.Event) {
				visible[place(ev.Member)] = ev.Kind == membership.Joined
				if got := h.View().Find(ev.Member.Key()) != nil; got != visible[place(ev.Member)] {
					t.Errorf("at the event %s %s: in the view: %t", ev.Kind, ev.Member, got)
				}
			})
			r.play(t, tt.script)
			if d := cmp.Diff(tt.events, story(h)); d != "" {
				t.Errorf("events (-want +got):\n%s", d)
			}
			if got := listed(h.View()); got != tt.view {
				t.Errorf("View() = %q, want %q", got, tt.view)
			}
		})
	}
}

func TestDomainFilterPassesUpdates(t *testing.T) {
	h, r := newDomainFilter(t, &DomainFilter{Domain: "red"}, interceptortest.Config{})
	r.play(t, "join 2 red, join 3 blue")
	for n, domain := range map[int]string{2: "red", 3: "blue"} {
		m, err := inDomain(t, n, domain).With(func(a *membership.Attributes) { a.Payload = "new" })
		if err != nil {
			t.Fatal(err)
		}
		ev, _, _ := r.table.Heard(m, time.Now()) // the table is large enough
		r.above.Event(ev)
	}
	if got, want := story(h), "joined 2 red, updated 2 red"; got != want {
		t.Errorf("events = %q, want %q", got, want)
	}
	if got := h.View().Members[0].Payload(); got != "new" {
		t.Errorf("payload in the view = %q, want the new one", got)
	}
}

// The view is made anew only when something has changed, and its number rises
// when it is.
func TestDomainFilterView(t *testing.T) {
	h, r := newDomainFilter(t, &DomainFilter{Domain: "red"}, interceptortest.Config{})
	r.play(t, "join 2 red, join 3 blue")
	v := h.View()
	if again := h.View(); again != v {
		t.Error("View() without a change is another one")
	}
	last := v.Seq
	for _, script := range []string{"join 4 red", "left 2 red", "join 3 red"} {
		r.play(t, script)
		v := h.View()
		if v.Seq <= last {
			t.Errorf("after %s: Seq = %d, want more than %d", script, v.Seq, last)
		}
		last = v.Seq
	}
}

func TestDomainFilterViewsAtTheSameTime(t *testing.T) {
	h, r := newDomainFilter(t, new(DomainFilter), interceptortest.Config{})
	var work sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		work.Go(func() {
			var last *membership.View
			for {
				v := h.View()
				if last != nil && (v.Seq < last.Seq || v.Seq == last.Seq && v != last) {
					t.Errorf("Seq %d after %d", v.Seq, last.Seq)
				}
				last = v
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := range 300 {
		r.play(t, fmt.Sprintf("join %d", n+2))
	}
	close(stop)
	work.Wait()
	if got := h.View().Len(); got != 300 {
		t.Errorf("View() has %d members, want 300", got)
	}
}

func TestDomainFilterMessages(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		f := &DomainFilter{Domain: "red"}
		h, r := newDomainFilter(t, f, rec.config())
		r.play(t, "join 2 red, join 3 blue")
		refused := errors.New("no")
		h.Top.Handle(func(context.Context, *message.Message) error { return refused })
		if err := h.Arrive(inDomain(t, 2, "red"), []byte("x"), 0); err != refused {
			t.Errorf("Receive from the own domain = %v, want what the application says", err)
		}
		for range 250 {
			if err := h.Arrive(inDomain(t, 3, "blue"), []byte("x"), 0); err != nil {
				t.Errorf("Receive from another domain = %v, want nil", err)
			}
		}
		time.Sleep(hush.Pause)
		for range 51 {
			if err := h.Arrive(inDomain(t, 4, ""), []byte("x"), 0); err != nil {
				t.Errorf("Receive from no domain = %v, want nil", err)
			}
		}
		if got := len(h.Top.Received()); got != 1 {
			t.Errorf("%d messages were delivered, want 1", got)
		}
		if d := cmp.Diff(DomainFilterStats{Messages: 301, Members: 1, Visible: 1}, f.Stats()); d != "" {
			t.Errorf("Stats() differ (-want +got):\n%s", d)
		}
		if got := len(rec.drops()); got != 301 || rec.drops()[0] != "DomainFilter: another domain" {
			t.Errorf("the trace was told of %d dropped messages, want 301", got)
		}
		// The 1st, then the 101st and 201st too soon after it, then the 301st.
		lines := rec.log()
		if len(lines) != 2 || !strings.Contains(lines[1], "messages=301 skipped=2") {
			t.Errorf("log = %q, want two lines", lines)
		}
	})
}

func TestDomainFilterLogInterval(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		for interval, want := range map[int]int{-1: 0, 1: 5, 2: 3, 3: 2, 0: 1} {
			rec := new(recorder)
			h, _ := newDomainFilter(t, &DomainFilter{Domain: "red", LogInterval: interval}, rec.config())
			for range 5 {
				if err := h.Arrive(peer, []byte("x"), 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(hush.Pause)
			}
			if got := len(rec.log()); got != want {
				t.Errorf("LogInterval %d: 5 dropped messages gave %d lines, want %d", interval, got, want)
			}
		}
	})
}
