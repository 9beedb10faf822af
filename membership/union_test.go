package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// scripted is a Service that does what a test tells it.
type scripted struct {
	name     string
	startErr error
	stopErr  error

	mu     sync.Mutex
	env    Env
	calls  []string
	locals []*Member
}

func (p *scripted) note(call string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call)
}

func (p *scripted) Start(_ context.Context, env Env) error {
	p.note("start")
	p.env = env
	return p.startErr
}

func (p *scripted) View() *View { return new(View) }

func (p *scripted) Update(local *Member) { p.locals = append(p.locals, local) }

func (p *scripted) Stop(ctx context.Context) error {
	p.note("stop")
	if err := ctx.Err(); err != nil {
		return err
	}
	return p.stopErr
}

func (p *scripted) tell(kind Kind, m *Member, at time.Time) { p.env.Notify(Event{kind, m, at}) }

// union starts a union of n parts and keeps what it notifies.
func union(t *testing.T, n int) (u *UnionService, parts []*scripted, told *[]Event) {
	t.Helper()
	var services []Service
	for i := range n {
		parts = append(parts, &scripted{name: fmt.Sprint(i)})
		services = append(services, parts[i])
	}
	u, told = Union(services...), new([]Event)
	err := u.Start(t.Context(), Env{Notify: func(ev Event) { *told = append(*told, ev) }})
	if err != nil {
		t.Fatalf("Start() = %v, want nil", err)
	}
	return u, parts, told
}

// A goodbye is remembered for half a minute, and not too many are.
func TestUnionForgetsGoodbyes(t *testing.T) {
	u, parts, told := union(t, 2)
	c := newClock()
	m := aged(t, 1, time.Second)
	leave := func() {
		parts[0].tell(Joined, m, c.Time)
		parts[0].tell(Left, m, c.Time)
		*told = nil
	}
	leave()
	parts[1].tell(Joined, m, c.pass(graveTime))
	if len(*told) != 0 {
		t.Errorf("found within the time: told %v, want nothing", *told)
	}
	parts[1].tell(Failed, m, c.Time)

	leave()
	parts[1].tell(Joined, m, c.pass(graveTime+1))
	if len(*told) != 1 || (*told)[0].Kind != Joined {
		t.Errorf("found after the time: told %v, want a join", *told)
	}
	parts[1].tell(Left, m, c.Time)

	for i := range maxGraves + 10 {
		x := newMember(t, 2, func(a *Attributes) { a.Port = i })
		parts[0].tell(Joined, x, c.Time)
		parts[0].tell(Left, x, c.Time)
	}
	if got := len(u.graves); got != maxGraves {
		t.Errorf("%d goodbyes are remembered, want %d", got, maxGraves)
	}
	leave()
	parts[0].tell(Joined, newMember(t, 3, nil), c.pass(time.Hour))
	parts[0].tell(Left, newMember(t, 3, nil), c.Time)
	if got := len(u.graves); got != 1 {
		t.Errorf("%d goodbyes are remembered after an hour, want 1", got)
	}
}

// The ages of members that were found at different times must be comparable.
func TestUnionOrderOfAge(t *testing.T) {
	u, parts, _ := union(t, 2)
	c := newClock()
	parts[0].tell(Joined, aged(t, 1, 10*time.Second), c.Time)
	parts[1].tell(Joined, aged(t, 1, 10*time.Second), c.Time)
	parts[1].tell(Joined, aged(t, 2, 50*time.Second), c.pass(time.Minute))
	if got := names(u.View()); got != "12" {
		t.Errorf("order = %s, want member 1 with 70 s before member 2 with 50 s", got)
	}
	// What counts from now on was told a minute ago.
	parts[0].tell(Failed, aged(t, 1, 0), c.Time)
	if got := names(u.View()); got != "12" || u.View().Members[0].Alive() != 70*time.Second {
		t.Errorf("order = %s with the oldest of %v, want 12 with 70 s", got, u.View().Members[0].Alive())
	}
}

func TestUnionGoesToAll(t *testing.T) {
	u, parts, _ := union(t, 3)
	m := newMember(t, 1, nil)
	u.Update(m)
	parts[1].stopErr = errors.New("no goodbye")
	err := u.Stop(t.Context())
	if !errors.Is(err, parts[1].stopErr) {
		t.Errorf("Stop() = %v, want %v", err, parts[1].stopErr)
	}
	for _, p := range parts {
		if !slices.Equal(p.calls, []string{"start", "stop"}) || !slices.Equal(p.locals, []*Member{m}) {
			t.Errorf("part %s: calls %v, updates %v; want start, stop and %v", p.name, p.calls, p.locals, m)
		}
	}
}

func TestUnionPassesEnv(t *testing.T) {
	p := new(scripted)
	u := Union(p)
	local := newMember(t, 1, nil)
	if err := u.Start(t.Context(), Env{Local: local, Listen: true, Notify: func(Event) {}}); err != nil {
		t.Fatal(err)
	}
	if p.env.Local != local || !p.env.Listen || p.env.Announce {
		t.Errorf("the part was started with %+v, want the local member, Listen and not Announce", p.env)
	}
}

func TestUnionUndoesItsStart(t *testing.T) {
	cause := errors.New("port taken")
	parts := []*scripted{{}, {}, {startErr: cause}, {}}
	u := Union(parts[0], parts[1], parts[2], parts[3])
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the goodbyes must be said all the same
	if err := u.Start(ctx, Env{}); !errors.Is(err, cause) || errors.Is(err, context.Canceled) {
		t.Errorf("Start() = %v, want %v", err, cause)
	}
	for i, want := range [][]string{{"start", "stop"}, {"start", "stop"}, {"start"}, nil} {
		if got := parts[i].calls; !slices.Equal(got, want) {
			t.Errorf("calls of part %d = %v, want %v", i, got, want)
		}
	}
	if err := u.Start(t.Context(), Env{}); err == nil {
		t.Error("a second Start() = nil, want an error")
	}
}

func TestUnionDoesNotStartAfterStop(t *testing.T) {
	p := new(scripted)
	u := Union(p)
	for range 2 {
		if err := u.Stop(t.Context()); err != nil {
			t.Errorf("Stop() before Start = %v, want nil", err)
		}
	}
	if err := u.Start(t.Context(), Env{}); err == nil || slices.Contains(p.calls, "start") {
		t.Errorf("Start() after Stop = %v, calls %v, want an error and no start", err, p.calls)
	}
}

func TestUnionServices(t *testing.T) {
	a, b := new(scripted), new(scripted)
	u := Union(a, nil, b)
	got := u.Services()
	if len(got) != 2 || got[0] != Service(a) || got[1] != Service(b) {
		t.Errorf("Services() = %v, want the two parts in order", got)
	}
	got[0] = nil
	if u.Services()[0] == nil {
		t.Error("Services() gave out its own slice")
	}
	none := Union()
	if err := none.Start(t.Context(), Env{}); err != nil || none.View().Len() != 0 {
		t.Errorf("Start of the empty union = %v, want nil", err)
	}
	if err := none.Stop(t.Context()); err != nil {
		t.Errorf("Stop of the empty union = %v, want nil", err)
	}
}

// A part may tell something while the union is telling: that waits its turn.
func TestUnionTellsInTurn(t *testing.T) {
	parts := []*scripted{{}, {}}
	u := Union(parts[0], parts[1])
	var told []string
	notify := func(ev Event) {
		told = append(told, "begin "+short(ev.Member))
		if m := newMember(t, ev.Member.Host().As4()[3]+1, nil); u.View().Len() < 3 {
			parts[1].tell(Joined, m, time.Now())
		}
		told = append(told, "end "+short(ev.Member))
	}
	if err := u.Start(t.Context(), Env{Notify: notify}); err != nil {
		t.Fatal(err)
	}
	parts[0].tell(Joined, newMember(t, 1, nil), time.Now())
	if want := []string{"begin a", "end a", "begin b", "end b", "begin c", "end c"}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// Parts tell at the same time; the union tells one after the other, in an order
// that makes sense, and its view is never behind.
func TestUnionIsSerial(t *testing.T) {
	parts := []*scripted{{}, {}, {}}
	u := Union(parts[0], parts[1], parts[2])
	var inside sync.Mutex
	present := make(map[Key]bool)
	events := 0
	notify := func(ev Event) {
		if !inside.TryLock() {
			t.Error("Notify was called twice at a time")
			return
		}
		defer inside.Unlock()
		events++
		k := ev.Member.Key()
		if joined := ev.Kind == Joined; present[k] == joined {
			t.Errorf("%s %s when present was %v", ev.Member, ev.Kind, present[k])
		}
		present[k] = ev.Kind == Joined
		u.View()
	}
	if err := u.Start(t.Context(), Env{Notify: notify}); err != nil {
		t.Fatal(err)
	}
	shared := newMember(t, 100, nil)
	var wg sync.WaitGroup
	for i, p := range parts {
		own := newMember(t, byte(i+1), nil)
		wg.Go(func() { // ends by itself
			for range 300 {
				p.tell(Joined, own, time.Now())
				p.tell(Joined, shared, time.Now())
				p.tell(Failed, own, time.Now())
				p.tell(Failed, shared, time.Now())
			}
		})
	}
	wg.Wait()
	if u.View().Len() != 0 || len(u.known) != 0 {
		t.Errorf("at the end the view has %d members and %d are known, want none", u.View().Len(), len(u.known))
	}
	if events < 3*600 {
		t.Errorf("%d events, want at least the %d of the parts' own members", events, 3*600)
	}
	for k, there := range present {
		if there {
			t.Errorf("%v has joined and not left", k)
		}
	}
}
