package memcached

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gotribes/tribes/session/store"
)

// Store keeps sessions in memcached or Hazelcast. Its methods can be called from any number
// of goroutines.
type Store struct {
	config  Config
	servers []*server
}

var _ store.Store = (*Store)(nil)

// errNoCAS is the error of a server whose items have no cas.
var errNoCAS = errors.New("the server has no compare-and-swap: if it is Hazelcast, set Config.Hazelcast")

// New returns a store. It does not talk to a server. The error names everything that is
// wrong with c.
func New(c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{config: c}
	for _, addr := range c.Servers {
		s.servers = append(s.servers, newServer(addr, &s.config))
	}
	return s, nil
}

// Close closes the connections; those of calls that are running when these end. Later calls
// fail. It always returns nil.
func (s *Store) Close() error {
	for _, x := range s.servers {
		x.clear(true)
	}
	return nil
}

// do runs f on a connection to the server of a session.
func (s *Store) do(ctx context.Context, op, id string, f func(ctx context.Context, c *conn, key string) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return wrap(op, err)
	}
	key := s.config.Prefix + id
	servers := rank(s.servers, id)
	if !s.config.Hazelcast {
		servers = servers[:1] // no other has the session
	}
	for range servers {
		if !servers[0].away() {
			break
		}
		servers = append(servers[1:], servers[0])
	}
	var err error
	for i, x := range servers {
		err = x.do(ctx, len(servers)-i, func(ctx context.Context, c *conn) error { return f(ctx, c, key) })
		if !errors.As(err, new(dialError)) {
			break // f may have changed something
		}
	}
	return wrap(op, err)
}

func wrap(op string, err error) error {
	if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return err
	}
	return fmt.Errorf("tribes: memcached: %s: %w", op, err)
}

// load returns a session and its cas.
func load(c *conn, key, id string) (*store.Session, string, error) {
	b, cas, err := c.get(key)
	if err != nil {
		return nil, "", err
	}
	x, err := decode(id, b)
	return x, cas, err
}

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	if err := store.CheckID(id); err != nil {
		return nil, err
	}
	var x *store.Session
	err := s.do(ctx, "load", id, func(_ context.Context, c *conn, key string) (err error) {
		x, _, err = load(c, key, id)
		return err
	})
	if errors.Is(err, errMissing) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

// Save implements [store.Store].
func (s *Store) Save(ctx context.Context, x *store.Session, base uint64) error {
	if err := x.Check(base); err != nil {
		return err
	}
	if len(x.Data) > s.config.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", store.ErrTooLarge, len(x.Data), s.config.MaxData)
	}
	return s.change(ctx, "save", x.ID, func(is *store.Session) (*store.Session, error) {
		if is == nil && base != 0 || is != nil && is.Version != base {
			return nil, store.ErrConflict
		}
		return x, nil
	})
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	return s.change(ctx, "touch", id, func(is *store.Session) (*store.Session, error) {
		if is == nil {
			return nil, store.ErrNotFound
		}
		if accessed.UnixMilli() <= is.Accessed.UnixMilli() {
			return nil, nil
		}
		is.Accessed = accessed
		return is, nil
	})
}

// change replaces a session, nil if there is none, by what f makes of it, in one step; by
// nothing if f returns nil.
func (s *Store) change(ctx context.Context, op, id string, f func(is *store.Session) (*store.Session, error)) error {
	if s.config.Hazelcast {
		return s.changeLocked(ctx, op, id, f)
	}
	return s.do(ctx, op, id, func(_ context.Context, c *conn, key string) error {
		for { // until nobody has come in between
			is, cas, err := load(c, key, id)
			if err != nil && !errors.Is(err, errMissing) {
				return err
			}
			to, err := f(is)
			if err != nil || to == nil {
				return err
			}
			verb := "add"
			if is != nil {
				verb = "cas"
				if cas == "" {
					return errNoCAS
				}
			}
			err = c.put(verb, key, expiry(to, time.Now()), encode(to), cas)
			if !errors.Is(err, errNotStored) {
				return err
			}
		}
	})
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	if s.config.Hazelcast {
		return s.deleteLocked(ctx, id)
	}
	return s.do(ctx, "delete", id, func(_ context.Context, c *conn, key string) error { return c.delete(key) })
}
