package membership

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// undoTimeout bounds the goodbyes of the services that were started before one
// could not be.
const undoTimeout = time.Second

// UnionService is several services as one, made by [Union].
//
// A member is there as long as any of the services has it: it has Joined when
// the first one finds it and has Failed when the last one that had it has lost
// it. A goodbye counts at once, whoever hears it: after Left the member is gone
// until a service finds it anew, even if another one still has it. Where
// services describe a member differently, the one that comes first in the union
// counts; a member is Updated if that description changes.
//
// A service that is late may find a member of which another one has just heard
// the goodbye. For half a minute that does not bring it back, unless its alive
// time shows that it was running after the goodbye.
type UnionService struct {
	services []Service

	life    sync.Mutex // held during Start, so that a Stop comes before or after it
	started bool
	stopped bool

	table Table

	mu       sync.Mutex // also guards the order of the changes of table
	known    map[Key]*knowledge
	graves   graves
	queue    []Event
	draining bool // somebody is handing out the queue
	notify   func(Event)
}

// knowledge is what the services say of one member.
type knowledge struct {
	sightings []sighting // by service
	left      bool       // it said goodbye and no service has found it since
}

// sighting is a member as one service describes it; the zero sighting means that
// the service does not have it.
type sighting struct {
	member *Member
	at     time.Time
}

// Union returns one service that is all of the given ones; nil services are left
// out. They are bound to the union and must not be used otherwise.
func Union(services ...Service) *UnionService {
	u := &UnionService{known: make(map[Key]*knowledge)}
	for _, s := range services {
		if s != nil {
			u.services = append(u.services, s)
		}
	}
	u.table.Limit = math.MaxInt // the services have limits of their own
	return u
}

// Services returns the parts of the union, in its order.
func (u *UnionService) Services() []Service { return slices.Clone(u.services) }

// View implements [Service].
func (u *UnionService) View() *View { return u.table.View() }

// Start starts all services in their order. If one fails, those before it are
// stopped again and the error is returned.
func (u *UnionService) Start(ctx context.Context, env Env) error {
	u.life.Lock()
	defer u.life.Unlock()
	if u.started || u.stopped {
		return errors.New("tribes: membership: start union: already started or stopped")
	}
	u.started, u.notify = true, env.Notify
	for i, s := range u.services {
		part := env
		part.Notify = func(ev Event) { u.take(i, ev) }
		if err := s.Start(ctx, part); err != nil {
			undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
			defer cancel()
			return errors.Join(fmt.Errorf("tribes: membership: start %T: %w", s, err), stopAll(undo, u.services[:i]))
		}
	}
	return nil
}

// Update announces local through all services.
func (u *UnionService) Update(local *Member) {
	for _, s := range u.services {
		s.Update(local)
	}
}

// Stop stops all services at the same time. The error joins theirs.
func (u *UnionService) Stop(ctx context.Context) error {
	u.life.Lock()
	u.stopped = true
	u.life.Unlock()
	return stopAll(ctx, u.services)
}

func stopAll(ctx context.Context, services []Service) error {
	errs := make([]error, len(services))
	var wg sync.WaitGroup
	for i, s := range services {
		wg.Go(func() { errs[i] = s.Stop(ctx) }) // ends with the stop, which ctx bounds
	}
	wg.Wait()
	return errors.Join(errs...)
}

// take is what service i notifies. Events are handed out one after the other by
// whichever service found nobody doing so; each service's Stop waits for its
// own calls, so nothing is handed out after the last of them has stopped.
func (u *UnionService) take(i int, ev Event) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if out, ok := u.apply(i, ev); ok {
		u.queue = append(u.queue, out)
	}
	if u.draining {
		return
	}
	u.draining = true
	for len(u.queue) > 0 {
		batch := u.queue
		u.queue = nil
		u.mu.Unlock()
		for _, out := range batch {
			u.notify(out)
		}
		u.mu.Lock()
	}
	u.draining = false
}

// apply changes the table by an event of service i and returns what it means
// for the union. It is called with mu held.
func (u *UnionService) apply(i int, ev Event) (out Event, ok bool) {
	k := ev.Member.Key()
	known := u.known[k]
	if known == nil {
		if ev.Kind != Joined {
			return Event{}, false // it was gone already
		}
		known = &knowledge{sightings: make([]sighting, len(u.services))}
		u.known[k] = known
	}
	if ev.Kind != Joined && known.sightings[i].member == nil {
		return Event{}, false
	}
	known.sightings[i] = sighting{}
	switch ev.Kind {
	case Joined:
		known.sightings[i] = sighting{ev.Member, ev.At}
		known.left = u.graves.stale(k, i, ev)
	case Updated:
		known.sightings[i] = sighting{ev.Member, ev.At}
	case Left:
		u.graves.dig(k, i, len(u.services), ev, known.left)
		known.left = true
	case Failed:
		u.graves.lost(k, i)
	}
	return u.settle(k, known, ev)
}

// settle brings the table in line with what is known of k after ev.
func (u *UnionService) settle(k Key, known *knowledge, ev Event) (out Event, ok bool) {
	best := known.best()
	if best.member == nil {
		delete(u.known, k)
	}
	if known.left || best.member == nil {
		return u.table.Remove(ev.Kind, ev.Member, ev.At)
	}
	m := best.member.withAlive(later(best.member.attr.Alive, ev.At.Sub(best.at)))
	out, ok, _ = u.table.Heard(m, ev.At) // the table is never full
	return out, ok
}

// best is the sighting that counts.
func (k *knowledge) best() sighting {
	for _, s := range k.sightings {
		if s.member != nil {
			return s
		}
	}
	return sighting{}
}
