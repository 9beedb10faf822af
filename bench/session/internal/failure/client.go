package failure

import (
	"context"
	"fmt"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// client sends the requests of some sessions, one at a time.
type client struct {
	run      *run
	number   int
	of       int
	conns    []*web.Conn
	sessions []*load.Session
	result   Result
	lasting  bool // only losses count
}

func newClient(r *run, number, of int) *client {
	k := &client{run: r, number: number, of: of}
	for _, d := range r.nodes.Dials {
		k.conns = append(k.conns, &web.Conn{Dial: d, Timeout: r.load.Timeout, Cautious: true})
	}
	return k
}

func (k *client) close() {
	for _, c := range k.conns {
		c.Close()
	}
}

// fill makes the sessions of this client. What fails is tried again: a balancer may have
// taken a busy node for a dead one.
func (k *client) fill(ctx context.Context) error {
	for i := k.number; i < k.run.load.Sessions; i += k.of {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &load.Session{Home: i % len(k.conns)}
		begin := time.Now()
		for err := s.Create(ctx, k.conns[s.Home], 1, valueSize); err != nil; err = s.Create(ctx, k.conns[s.Home], 1, valueSize) {
			if time.Since(begin) > k.run.load.Timeout {
				return fmt.Errorf("making sessions: %w", err)
			}
			if err := pause(ctx, retryStep); err != nil {
				return err
			}
		}
		k.sessions = append(k.sessions, s)
	}
	return nil
}

// work writes at an even pace, and what is late as soon as possible; or without a rate
// all the time.
func (k *client) work(ctx context.Context) {
	var step time.Duration
	if rate := k.run.load.Rate; rate > 0 {
		step = time.Second * time.Duration(k.of) / time.Duration(rate)
	}
	next := time.Now().Add(step * time.Duration(k.number) / time.Duration(k.of))
	for n := 0; !k.run.over.Load() && ctx.Err() == nil; n++ {
		if step > 0 {
			if err := pause(ctx, time.Until(next)); err != nil {
				return
			}
			next = next.Add(step)
		}
		k.write(ctx, k.sessions[n%len(k.sessions)])
	}
}

// write writes until a node acknowledges it, with the same tag each time.
func (k *client) write(ctx context.Context, s *load.Session) {
	if !k.lasting {
		k.result.Requests++
	}
	begin, phase := time.Now(), k.run.phase.Load()
	for try := 0; try == 0 || time.Since(begin) < k.run.load.Timeout; try++ {
		if k.run.down[s.Home].Load() {
			k.move(s)
		}
		err := s.Write(ctx, k.conns[s.Home], 0, &k.result.Losses)
		if err == nil {
			k.answered(time.Since(begin), try == 0, phase)
			return
		}
		if ctx.Err() != nil {
			return
		}
		k.failed(fmt.Errorf("node %d: %w", s.Home+1, err), try == 0)
		k.move(s)
		if try >= len(k.conns)-1 && pause(ctx, retryStep) != nil {
			return
		}
	}
	k.result.Abandoned++
}

// answered notes an answer.
func (k *client) answered(took time.Duration, first bool, phase int32) {
	r := &k.result
	if k.lasting {
		return
	}
	r.lats[phase] = append(r.lats[phase], took)
	r.Longest = max(r.Longest, took)
	if first {
		r.Steady = max(r.Steady, took)
	} else {
		r.Repeated++
	}
	if phase == before {
		r.Usual = max(r.Usual, took)
	}
	s := k.now()
	s.Requests++
	s.Longest = max(s.Longest, took)
}

// failed notes an attempt.
func (k *client) failed(err error, first bool) {
	k.result.LastErr = err
	switch {
	case k.lasting:
	case first:
		k.result.Failed++
		k.now().Failed++
	default:
		k.result.Repeated++
	}
}

// now is the present slice of time.
func (k *client) now() *Slice { return k.result.slice(int(time.Since(k.run.begin) / SliceTime)) }

// move gives a session to the next node that seems to be up.
func (k *client) move(s *load.Session) {
	for range k.conns {
		s.Home = (s.Home + 1) % len(k.conns)
		if !k.run.down[s.Home].Load() {
			return
		}
	}
}

// last writes each session twice more, so that a loss of its last update is seen, and one of
// the session: a node that has it in memory may learn by the first write that it has gone
// from the store.
func (k *client) last(ctx context.Context) error {
	k.lasting = true
	for range 2 {
		for _, s := range k.sessions {
			k.write(ctx, s)
		}
	}
	return ctx.Err()
}
