package session

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// ErrBusy is the error of a request that has waited too long for others of its session, see
// [Manager.Serial].
var ErrBusy = errors.New("tribes: session: other requests of the session take too long")

// maxTurns is how many requests of one session may wait or run.
const maxTurns = 100

// turns are the sessions of which a request runs that others wait for.
type turns struct {
	mu sync.Mutex
	m  map[record.Key]*turn
}

// turn is held by the request that runs.
type turn struct {
	held chan struct{} // has room for one
	n    int           // requests that run or wait; guarded by turns.mu
}

type serialKey struct{}

// Serial makes the requests of a session that go to next run one after the other, in the
// order in which they come, as with synchronized(session) in Java. It stands inside of
// [Manager.Handler]:
//
//	mux.Handle("/cart/", sessions.Handler(sessions.Serial(5*time.Second, cart)))
//
// A request waits for at most that long, or until its client goes away; then, and if 100 of
// its session wait already, it gets 503 by Config.Unavailable with [ErrBusy]. The turn ends
// when next returns: a response that streams holds up the others. Requests without a session
// do not wait.
//
// It is a lock of this node: requests of one session on two nodes run at the same time. See
// docs/adr/0043. [Update] and [Session.Add] need it on no node.
func (m *Manager) Serial(wait time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, ok := r.Context().Value(contextKey{}).(*Session)
		var key record.Key
		if ok && s.m == m && r.Context().Value(serialKey{}) != m {
			s.mu.Lock()
			if s.h != nil {
				key = s.h.Rec.Key()
			}
			s.mu.Unlock()
		}
		if key == (record.Key{}) {
			next.ServeHTTP(w, r)
			return
		}
		t, err := m.turns.wait(r.Context(), key, wait)
		if err != nil {
			m.unavailable(w, r, err)
			return
		}
		defer m.turns.done(key, t, true)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), serialKey{}, m)))
	})
}

// wait returns when it is the turn of a request.
func (ts *turns) wait(ctx context.Context, key record.Key, most time.Duration) (*turn, error) {
	ts.mu.Lock()
	t := ts.m[key]
	if t == nil {
		if ts.m == nil {
			ts.m = make(map[record.Key]*turn)
		}
		t = &turn{held: make(chan struct{}, 1)}
		ts.m[key] = t
	}
	if t.n >= maxTurns {
		ts.mu.Unlock()
		return nil, ErrBusy
	}
	t.n++
	ts.mu.Unlock()
	select {
	case t.held <- struct{}{}: // without a timer, in most cases
		return t, nil
	default:
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case t.held <- struct{}{}:
		return t, nil
	case <-timer.C:
		ts.done(key, t, false)
		return nil, ErrBusy
	case <-ctx.Done():
		ts.done(key, t, false)
		return nil, context.Cause(ctx)
	}
}

// done is the end of a request, which may have had its turn.
func (ts *turns) done(key record.Key, t *turn, had bool) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if t.n--; t.n == 0 {
		delete(ts.m, key)
	}
	if had {
		<-t.held
	}
}
