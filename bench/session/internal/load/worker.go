package load

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Phases of a run.
const (
	leading int32 = iota
	measuring
	probing
	over
)

// sessionsPerConn is between how many sessions a connection takes turns.
const sessionsPerConn = 4

// worker is one connection; it has one to each node where it needs them.
type worker struct {
	w        Workload
	conns    []*web.Conn
	sessions []*Session
	kept     []*Session // made while measuring, for the audit
	turn     int
	think    time.Duration

	losses   Losses
	lats     []time.Duration
	lastErr  error
	measured *atomic.Int64 // requests, of all workers
	// jar has the newest cookie of a common session, as a browser does; nil if each
	// worker has its own.
	jar *atomic.Pointer[string]
}

func newWorker(w Workload, dials []web.Dial) *worker {
	k := &worker{w: w}
	for _, d := range dials {
		k.conns = append(k.conns, &web.Conn{Dial: d, Timeout: requestLimit})
	}
	return k
}

func (k *worker) close() {
	for _, c := range k.conns {
		c.Close()
	}
}

// node is where the next request of a session goes.
func (k *worker) node(s *Session) *web.Conn {
	if k.w.Spread {
		k.turn++
		return k.conns[(s.Home+k.turn)%len(k.conns)]
	}
	return k.conns[s.Home]
}

// fill makes the sessions of a worker that has its own.
func (k *worker) fill(ctx context.Context, home int) error {
	n := sessionsPerConn
	if k.w.kind == newSession {
		n = 0
		k.sessions = []*Session{{Home: home}} // only tells where
	}
	for range n {
		s := &Session{Home: home}
		if err := s.Create(ctx, k.conns[home], k.w.count, k.w.size); err != nil {
			return err
		}
		k.sessions = append(k.sessions, s)
	}
	return nil
}

// work sends requests until the phase is over.
func (k *worker) work(ctx context.Context, phase *atomic.Int32) {
	for n := 0; phase.Load() != over && ctx.Err() == nil; n++ {
		before := phase.Load()
		begin := time.Now()
		err := k.request(ctx, n, before == measuring)
		lat := time.Since(begin)
		switch {
		case err != nil:
			if k.losses.Failed++; ctx.Err() == nil {
				k.lastErr = err
			}
		case phase.Load() == measuring: // those begun before make up for those that end after
			k.lats = append(k.lats, lat)
			k.measured.Add(1)
		}
		if k.think > 0 {
			select {
			case <-time.After(k.think):
			case <-ctx.Done():
			}
		}
	}
}

// request is one request of the workload.
func (k *worker) request(ctx context.Context, n int, keep bool) error {
	s := k.sessions[n%len(k.sessions)]
	if k.jar != nil {
		was := *k.jar.Load()
		s.Cookie = was
		defer func() {
			if s.Cookie != was {
				newest := s.Cookie
				k.jar.Store(&newest)
			}
		}()
	}
	attr := n / len(k.sessions) * 37 % k.w.count
	switch k.w.kind {
	case newSession:
		made := &Session{Home: s.Home}
		err := made.Create(ctx, k.conns[s.Home], k.w.count, k.w.size)
		switch {
		case err != nil:
			return err
		case keep:
			k.kept = append(k.kept, made)
		default:
			return made.End(ctx, k.conns[s.Home])
		}
		return nil
	case mixed:
		if n%20 != 0 {
			return s.Read(ctx, k.node(s), attr, &k.losses)
		}
		return s.Write(ctx, k.node(s), attr, &k.losses)
	case patch:
		return s.Patch(ctx, k.node(s), &k.losses)
	case shared:
		return s.Write(ctx, k.node(s), s.own, &k.losses)
	case increment:
		return s.Increment(ctx, k.node(s), &k.losses)
	}
	return s.Write(ctx, k.node(s), attr, &k.losses)
}

// probe makes changes, one at a time, and waits until another node shows them.
func (k *worker) probe(ctx context.Context, p *Probes, phase *atomic.Int32) {
	for n := 0; phase.Load() != over && ctx.Err() == nil; n++ {
		s := k.sessions[0]
		attr := n % k.w.count
		if k.w.kind == newSession {
			s, attr = &Session{Home: k.sessions[0].Home}, k.w.count-1
			if err := s.Create(ctx, k.conns[s.Home], k.w.count, k.w.size); err != nil {
				k.losses.Failed++
				k.lastErr = err
				continue
			}
		} else if err := k.change(ctx, s, attr); err != nil {
			k.losses.Failed++
			k.lastErr = err
			continue
		}
		other := k.conns[(s.Home+1+n%(len(k.conns)-1))%len(k.conns)]
		k.await(ctx, p, other, s, attr)
		if k.w.kind == newSession {
			if err := s.End(ctx, k.conns[s.Home]); err != nil {
				k.losses.Failed++
			}
		}
	}
}

func (k *worker) change(ctx context.Context, s *Session, attr int) error {
	if k.w.kind == patch {
		return s.Patch(ctx, k.conns[s.Home], &k.losses)
	}
	return s.Write(ctx, k.conns[s.Home], attr, &k.losses)
}

const (
	requestLimit = 15 * time.Second // as the balancers' default
	lateLimit    = 2 * time.Second
)

// await looks at another node until it has the attribute.
func (k *worker) await(ctx context.Context, p *Probes, other *web.Conn, s *Session, attr int) {
	begin := time.Now()
	target := "/session?id=" + s.ID() + "&name=" + attrName(attr)
	for first := true; ctx.Err() == nil; first = false {
		if err := other.Do(ctx, "GET", target, nil, nil); err != nil {
			k.lastErr = errors.Join(errors.New("look-up failed"), err)
			return
		}
		took := time.Since(begin)
		switch {
		case other.Reply.Tag >= s.Acked[attr]:
			p.Times = append(p.Times, took)
			if first {
				p.First++
			}
			return
		case took > lateLimit:
			k.losses.Late++
			return
		}
	}
}
