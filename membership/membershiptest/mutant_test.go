package membershiptest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// mutant is a service with one thing wrong. Nil functions are those of the
// service.
type mutant struct {
	*service
	start  func(s *service, ctx context.Context, env membership.Env) error
	view   func(s *service) *membership.View
	update func(s *service, local *membership.Member)
	stop   func(s *service, ctx context.Context) error
}

func (m mutant) Start(ctx context.Context, env membership.Env) error {
	if m.start != nil {
		return m.start(m.service, ctx, env)
	}
	return m.service.Start(ctx, env)
}

func (m mutant) View() *membership.View {
	if m.view != nil {
		return m.view(m.service)
	}
	return m.service.View()
}

func (m mutant) Update(local *membership.Member) {
	if m.update != nil {
		m.update(m.service, local)
		return
	}
	m.service.Update(local)
}

func (m mutant) Stop(ctx context.Context) error {
	if m.stop != nil {
		return m.stop(m.service, ctx)
	}
	return m.service.Stop(ctx)
}

// notify starts with an edited Notify.
func notify(edit func(s *service, f func(membership.Event), ev membership.Event)) mutant {
	return mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		f := env.Notify
		env.Notify = func(ev membership.Event) { edit(s, f, ev) }
		return s.Start(ctx, env)
	}}
}

// drops leaves events of one kind out.
func drops(kind membership.Kind) mutant {
	return notify(func(_ *service, f func(membership.Event), ev membership.Event) {
		if ev.Kind != kind {
			f(ev)
		}
	})
}

// calls makes another event of each.
func calls(edit func(ev *membership.Event)) mutant {
	return notify(func(_ *service, f func(membership.Event), ev membership.Event) {
		edit(&ev)
		f(ev)
	})
}

var mutants = []struct {
	name   string
	m      mutant
	finds  string // a check that must fail
	saying string // part of what it says
}{
	{"waits in Start", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		err := s.Start(ctx, env)
		<-time.After(2 * time.Second)
		return err
	}}, "StartsAlone", "must not wait"},
	{"nil view", mutant{view: func(*service) *membership.View { return nil }}, "StartsAlone", "View() = nil"},
	{"itself in the view", mutant{view: func(s *service) *membership.View {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.local == nil {
			return s.table.View()
		}
		return &membership.View{Members: []*membership.Member{s.local}}
	}}, "StartsAlone", "local member"},
	{"view in no order", mutant{view: func(s *service) *membership.View {
		v := *s.table.View()
		v.Members = slices.Clone(v.Members)
		slices.Reverse(v.Members)
		return &v
	}}, "LateComerSeesAll", "order of age"},
	{"view with a member twice", mutant{view: func(s *service) *membership.View {
		v := *s.table.View()
		v.Members = append(slices.Clone(v.Members), v.Members...)
		slices.SortFunc(v.Members, membership.CompareAge)
		return &v
	}}, "TwoSeeEachOther", "twice"},
	{"Seq that falls", mutant{view: func(s *service) *membership.View {
		v := *s.table.View()
		v.Seq = 1000 - v.Seq
		return &v
	}}, "LateComerSeesAll", "has Seq"},
	{"view behind the events", mutant{view: func(*service) *membership.View { return new(membership.View) }}, "TwoSeeEachOther", "a view of"},
	{"no joins", drops(membership.Joined), "TwoSeeEachOther", "a view of"},
	{"no goodbyes heard", drops(membership.Left), "StopIsSeenAsLeft", "left of"},
	{"no failures", drops(membership.Failed), "KillIsSeenAsFailed", "failed of"},
	{"no updates", drops(membership.Updated), "UpdateIsSeen", "changed description"},
	{"left instead of failed", calls(func(ev *membership.Event) {
		if ev.Kind == membership.Failed {
			ev.Kind = membership.Left
		}
	}), "KillIsSeenAsFailed", "failed of"},
	{"no member", calls(func(ev *membership.Event) { ev.Member = nil }), "TwoSeeEachOther", "no member"},
	{"no time", calls(func(ev *membership.Event) { ev.At = time.Time{} }), "TwoSeeEachOther", "no time"},
	{"unknown kind", calls(func(ev *membership.Event) { ev.Kind = 77 }), "TwoSeeEachOther", "kind 77"},
	{"poor description", calls(func(ev *membership.Event) {
		ev.Member, _ = ev.Member.With(func(a *membership.Attributes) { a.Payload = "" })
	}), "TwoSeeEachOther", "seen as"},
	{"everything twice", notify(func(_ *service, f func(membership.Event), ev membership.Event) {
		f(ev)
		f(ev)
	}), "TwoSeeEachOther", "joined twice"},
	{"an event about itself", notify(func(s *service, f func(membership.Event), ev membership.Event) {
		f(ev)
		f(membership.Event{Kind: membership.Joined, Member: s.env.Local, At: time.Now()})
	}), "TwoSeeEachOther", "about the local member"},
	{"update before join", calls(func(ev *membership.Event) { ev.Kind = membership.Updated }), "TwoSeeEachOther", "before it joined"},
	{"failed twice", notify(func(_ *service, f func(membership.Event), ev membership.Event) {
		f(ev)
		if ev.Kind == membership.Failed || ev.Kind == membership.Left {
			f(ev)
		}
	}), "StopIsSeenAsLeft", "was not there"},
	{"two at a time", notify(func(_ *service, f func(membership.Event), ev membership.Event) {
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { f(ev) }) // ends by itself
		}
		wg.Wait()
	}), "TwoSeeEachOther", "twice at a time"},
	{"goes on after Stop", mutant{stop: func(s *service, _ context.Context) error {
		s.announce(membership.LeaveCommand)
		return nil
	}}, "NoNotifyAfterStop", "after the service had stopped"},
	{"no goodbye", mutant{stop: func(s *service, _ context.Context) error {
		s.end()
		return nil
	}}, "StopIsSeenAsLeft", "left of"},
	{"Stop fails the second time", mutant{stop: func(s *service, ctx context.Context) error {
		s.mu.Lock()
		twice := s.stopped
		s.mu.Unlock()
		if twice {
			return fmt.Errorf("stopped already")
		}
		return s.Stop(ctx)
	}}, "StopTwice", "stopped already"},
	{"update is not announced", mutant{update: func(*service, *membership.Member) {}}, "UpdateIsSeen", "changed description"},
	{"age counts as an update", mutant{update: func(s *service, local *membership.Member) {
		m, _ := local.With(func(a *membership.Attributes) { a.Payload += fmt.Sprint(a.Alive) })
		s.Update(m)
	}}, "UpdateWithoutChange", "update without change"},
	{"update before the start counts", mutant{
		update: func(s *service, local *membership.Member) {
			s.early = local
			s.Update(local)
		},
		start: func(s *service, ctx context.Context, env membership.Env) error {
			if s.early != nil {
				env.Local = s.early
			}
			return s.Start(ctx, env)
		},
	}, "UpdateWhileNotRunning", "before its start"},
	{"update after the stop is announced", mutant{update: func(s *service, local *membership.Member) {
		s.bus.send(local.AppendImage(nil, 1))
	}}, "UpdateWhileNotRunning", "after its stop"},
	{"goodbye and a late heartbeat", mutant{stop: func(s *service, ctx context.Context) error {
		err := s.Stop(ctx)
		s.bus.send(s.local.AppendImage(nil, 1))
		return err
	}}, "StopTwice", "after its goodbye"},
	{"ends with the context of Start", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		err := s.Start(ctx, env)
		context.AfterFunc(ctx, s.end)
		return err
	}}, "StartContextEnds", "a view of"},
	{"runs after a failed start", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		broken := s.broken
		s.broken = false
		if err := s.Start(ctx, env); err != nil || !broken {
			return err
		}
		return fmt.Errorf("broken")
	}}, "StartError", "node 2"},
	{"broken node that starts", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		s.broken = false
		return s.Start(ctx, env)
	}}, "StartError", "want an error"},
	{"announces what should be hidden", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		env.Announce = true
		return s.Start(ctx, env)
	}}, "ListenOnly", "does not announce itself"},
	{"listens when it should not", mutant{start: func(s *service, ctx context.Context, env membership.Env) error {
		env.Listen = true
		return s.Start(ctx, env)
	}}, "AnnounceOnly", "does not listen"},
}

// Every mutant must be found by the check that is about it, and pass none of
// the checks by hanging.
func TestSuiteFindsMutants(t *testing.T) {
	for _, tt := range mutants {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				said := runCheck(t, tt.finds, func(t testing.TB) *Group {
					g := newGroup(t)
					plain, broken := g.Node, g.Broken
					g.Node = func(i int) Node { return tt.m.in(plain(i)) }
					g.Broken = func() Node { return tt.m.in(broken()) }
					return g
				})
				if !strings.Contains(said, tt.saying) {
					t.Errorf("%s said %q, want %q in it", tt.finds, said, tt.saying)
				}
			})
		})
	}
}

func TestSuiteNeedsAProperGroup(t *testing.T) {
	tests := []struct {
		name, saying string
		edit         func(g *Group) *Group
	}{
		{"nil", "needs the function Node", func(*Group) *Group { return nil }},
		{"no Node", "needs the function Node", func(*Group) *Group { return new(Group) }},
		{"empty Node", "needs Local and Service", func(g *Group) *Group {
			g.Node = func(int) Node { return Node{} }
			return g
		}},
		{"restart with the old id", "want the same address and a new ID", func(g *Group) *Group {
			plain, locals := g.Node, make(map[int]*membership.Member)
			g.Node = func(i int) Node {
				n := plain(i)
				if locals[i] != nil {
					n.Local = locals[i]
				}
				locals[i] = n.Local
				return n
			}
			return g
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				said := runCheck(t, "RestartAfterStop", func(t testing.TB) *Group { return tt.edit(newGroup(t)) })
				if !strings.Contains(said, tt.saying) {
					t.Errorf("the suite said %q, want %q in it", said, tt.saying)
				}
			})
		})
	}
}

// Groups that cannot do everything pass with what they say of themselves.
func TestSuiteWithoutAbilities(t *testing.T) {
	RunVirtual(t, func(t testing.TB) *Group {
		g := newGroup(t)
		g.Broken, g.NoGoodbye, g.NoUpdate, g.NoHiding = nil, true, true, true
		plain := g.Node
		m := mutant{
			stop: func(s *service, _ context.Context) error {
				s.end()
				return nil
			},
			update: func(*service, *membership.Member) {},
		}
		g.Node = func(i int) Node {
			n := m.in(plain(i))
			n.Kill = nil
			return n
		}
		return g
	})
}

func (m mutant) in(n Node) Node {
	m.service = n.Service.(*service)
	n.Service = m
	return n
}

// runCheck runs the check of that name and returns what it has to complain of.
func runCheck(t *testing.T, name string, newGroup func(t testing.TB) *Group) string {
	t.Helper()
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		t.Fatalf("there is no check %s", name)
	}
	f := &fakeT{TB: t}
	done := make(chan struct{})
	go func() { // ends with the check, also by Fatal
		defer close(done)
		checks[i].run(f, func(t testing.TB) *Group {
			g := newGroup(t)
			if g != nil && g.Node != nil {
				g.Node, g.Broken = f.tracked(g.Node), f.trackedBroken(g.Broken)
			}
			return g
		})
	}()
	<-done
	for _, s := range f.made {
		s.end() // what a mutant did not
	}
	return strings.Join(f.said, "\n")
}

// fakeT is a testing.TB that keeps failures to itself.
type fakeT struct {
	testing.TB
	said []string
	made []*service
}

func (f *fakeT) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *fakeT) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

func (f *fakeT) Fatal(args ...any) { f.Fatalf("%s", fmt.Sprint(args...)) }

func (f *fakeT) tracked(node func(int) Node) func(int) Node {
	return func(i int) Node { return f.track(node(i)) }
}

func (f *fakeT) trackedBroken(node func() Node) func() Node {
	return func() Node { return f.track(node()) }
}

func (f *fakeT) track(n Node) Node {
	switch s := n.Service.(type) {
	case mutant:
		f.made = append(f.made, s.service)
	case *service:
		f.made = append(f.made, s)
	}
	return n
}
