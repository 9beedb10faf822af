package memcached

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

var errClosed = errors.New("tribes: memcached: store is closed")

// server has the connections to one server.
type server struct {
	addr   string
	config *Config
	slots  chan struct{} // one for each connection that is in use
	resume atomic.Int64  // in ns since 1970: until then it is asked last, since it cannot be reached; 0 if it can

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newServer(addr string, c *Config) *server {
	return &server{addr: addr, config: c, slots: make(chan struct{}, c.Conns)}
}

// dialError is the error of a server that cannot be reached: it was told nothing.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

// pause is how long a server that cannot be reached is asked last. Then one call tries.
const pause = 5 * time.Second

// away reports whether a server is to be asked last.
func (s *server) away() bool {
	at, now := s.resume.Load(), time.Now()
	return at != 0 && (now.UnixNano() < at || !s.resume.CompareAndSwap(at, now.Add(pause).UnixNano()))
}

// reach is take for a part of the time that is left, so that as many servers can be tried. If
// that was not enough the error is a dialError.
func (s *server) reach(ctx context.Context, parts int, fresh bool) (*conn, error) {
	limited := ctx
	if deadline, ok := ctx.Deadline(); ok && parts > 1 {
		var cancel context.CancelFunc
		limited, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(parts))
		defer cancel()
	}
	c, err := s.take(limited, fresh)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = dialError{err}
	}
	return c, err
}

// take returns a connection, which must be given back. With fresh it is a new one.
func (s *server) take(ctx context.Context, fresh bool) (*conn, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	closed, n := s.closed, len(s.idle)
	if n > 0 && !fresh && !closed {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		c.used, c.changed = true, false
		return c, nil
	}
	s.mu.Unlock()
	if closed {
		<-s.slots
		return nil, errClosed
	}
	c, err := s.config.Dial(ctx, "tcp", s.addr)
	if err != nil {
		<-s.slots
		s.resume.Store(time.Now().Add(pause).UnixNano())
		return nil, dialError{err}
	}
	s.resume.Store(0)
	return newConn(c, s.config.MaxData+headBytes), nil
}

// give takes a connection back, to be used again if it is good.
func (s *server) give(c *conn, good bool) {
	s.mu.Lock()
	if good && !s.closed {
		s.idle = append(s.idle, c)
		s.mu.Unlock()
	} else {
		s.mu.Unlock()
		_ = c.Close() // nothing is on its way any more that would matter
	}
	<-s.slots
}

// clear closes the connections that nobody uses.
func (s *server) clear(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = s.closed || closed
	for _, c := range s.idle {
		_ = c.Close() // as in give
	}
	s.idle = nil
}

// do runs f on a connection. One that was idle may have been closed by the server long ago;
// if f has changed nothing yet it gets another one then. For a connection it waits for one of
// so many parts of the time.
func (s *server) do(ctx context.Context, parts int, f func(ctx context.Context, c *conn) error) error {
	for fresh := false; ; fresh = true {
		c, err := s.reach(ctx, parts, fresh)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() {
			_ = c.SetDeadline(time.Unix(1, 0)) // wakes up f; fails if f has closed it
		})
		err = f(ctx, c)
		if !stop() && err != nil {
			err = ctx.Err()
		}
		alive := ctx.Err() == nil // else the deadline is set, or will be
		again := c.bad && alive && c.used && !c.changed && !isRefusal(err)
		s.give(c, alive && !c.bad)
		if again || c.bad && c.used && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			s.clear(false) // the others are of the same age
		}
		if !again {
			return err
		}
	}
}

// isRefusal tells what a server has answered from what has happened to the connection.
func isRefusal(err error) bool {
	var e serverError
	return errors.As(err, &e)
}

// rank returns the servers in the order in which they are asked for a session. It is the same
// on all nodes; of n servers a new one is first for one in n+1 of the sessions.
func rank(servers []*server, id string) []*server {
	type scored struct {
		*server
		score uint64
	}
	all := make([]scored, len(servers))
	for i, s := range servers {
		h := fnv.New64a()
		h.Write([]byte(s.addr + " " + id)) // never fails
		x := h.Sum64()                     // whose high bits depend little on the last bytes
		x = (x ^ x>>33) * 0xff51afd7ed558ccd
		x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
		all[i] = scored{s, x ^ x>>33}
	}
	slices.SortFunc(all, func(a, b scored) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	out := make([]*server, len(all))
	for i := range all {
		out[i] = all[i].server
	}
	return out
}
