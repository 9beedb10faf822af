package redis

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/session/store"
)

// ErrReplicas is the error of a save that fewer than Config.Replicas replicas have
// acknowledged in time. The session is stored on the master, by that save or, if that was too
// late, by the one that had overtaken it: who saves again on the same base gets this error until
// the replicas have what is stored, and store.ErrConflict from then on.
var ErrReplicas = errors.New("tribes: redis: saved, but not acknowledged by enough replicas")

// Store keeps sessions in Redis. Its methods can be called from any number of goroutines.
type Store struct {
	client  goredis.UniversalClient
	config  Config
	running sync.WaitGroup // calls to the client
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Lister = (*Store)(nil)
)

// New returns a store over a client, which remains the caller's. It does not talk to the
// server. The error names everything that is wrong with c.
func New(client goredis.UniversalClient, c Config) (*Store, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, ring := client.(*goredis.Ring); ring && c.Replicas > 0 {
		return nil, errors.New("tribes: redis: a ring cannot wait for replicas")
	}
	return &Store{client: client, config: c}, nil
}

// Close waits for calls whose ctx has ended before the client gave them up, which it does
// at its own timeouts. No other method may be called during and after it. It does not close
// the client, and always returns nil.
func (s *Store) Close() error {
	s.running.Wait()
	return nil
}

// result is what a call to the client has returned.
type result struct {
	value any
	err   error
}

// call runs f until it or ctx ends, or Timeout is over: clients of go-redis wait for an
// answer as long as they are configured to, whatever ctx says.
func (s *Store) call(ctx context.Context, op string, f func(ctx context.Context) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, wrap(op, err)
	}
	done := make(chan result, 1)
	s.running.Go(func() {
		v, err := f(ctx)
		done <- result{v, err}
	})
	select {
	case r := <-done:
		return r.value, wrap(op, r.err)
	case <-ctx.Done():
		return nil, wrap(op, ctx.Err())
	}
}

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tribes: redis: %s: %w", op, err)
}

func (s *Store) key(id string) string { return s.config.Prefix + id }

// Load implements [store.Store].
func (s *Store) Load(ctx context.Context, id string) (*store.Session, error) {
	if err := store.CheckID(id); err != nil {
		return nil, err
	}
	v, err := s.call(ctx, "load", func(ctx context.Context) (any, error) {
		return s.client.HMGet(ctx, s.key(id), "v", "a", "t", "d").Result()
	})
	if err != nil {
		return nil, err
	}
	fields := v.([]any)
	for i := range fields {
		if _, ok := fields[i].(string); !ok {
			if fields[0] == nil {
				return nil, store.ErrNotFound
			}
			return nil, fmt.Errorf("tribes: redis: load: the hash is not that of a session")
		}
	}
	return decode(id, fields[0].(string), fields[1].(string), fields[2].(string), fields[3].(string))
}

func decode(id, version, accessed, timeout, data string) (*store.Session, error) {
	v, err1 := strconv.ParseUint(version, 10, 64)
	a, err2 := strconv.ParseInt(accessed, 10, 64)
	t, err3 := strconv.ParseInt(timeout, 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, wrap("load", err)
	}
	return &store.Session{ID: id, Data: []byte(data), Version: v,
		Accessed: time.UnixMilli(a), Timeout: time.Duration(t) * time.Millisecond}, nil
}

// Save implements [store.Store]. One that has expired already is removed.
func (s *Store) Save(ctx context.Context, x *store.Session, base uint64) error {
	if err := x.Check(base); err != nil {
		return err
	}
	if len(x.Data) > s.config.MaxData {
		return fmt.Errorf("%w: %d bytes, at most %d", store.ErrTooLarge, len(x.Data), s.config.MaxData)
	}
	keys, args := []string{s.key(x.ID)}, s.encode(x, base)
	v, err := s.call(ctx, "save", func(ctx context.Context) (any, error) {
		if s.config.Replicas > 0 {
			return s.saveAndWait(ctx, keys, args)
		}
		return saveScript.Run(ctx, s.client, keys, args...).Int()
	})
	if err == nil && v.(int) != stored {
		return store.ErrConflict
	}
	return err
}

// encode returns the arguments of saveScript. They share nothing with x: the client may
// still use them when Save has returned.
func (s *Store) encode(x *store.Session, base uint64) []any {
	var call [8]byte
	rand.Read(call[:]) // never fails
	ttl, wait := "", ""
	if s.config.Replicas > 0 {
		wait = "1"
	}
	if x.Timeout > 0 {
		ttl = strconv.FormatInt(time.Until(x.Accessed.Add(x.Timeout)).Milliseconds(), 10)
	}
	return []any{
		strconv.FormatUint(base, 10), strconv.FormatUint(x.Version, 10),
		x.Accessed.UnixMilli(), x.Timeout.Milliseconds(), bytes.Clone(x.Data), call[:], ttl, wait,
	}
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, id string, accessed time.Time) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	v, err := s.call(ctx, "touch", func(ctx context.Context) (any, error) {
		return touchScript.Run(ctx, s.client, []string{s.key(id)}, accessed.UnixMilli(),
			time.Now().UnixMilli()).Int()
	})
	if err == nil && v.(int) == 0 {
		return store.ErrNotFound
	}
	return err
}

// Delete implements [store.Store].
func (s *Store) Delete(ctx context.Context, id string) error {
	if err := store.CheckID(id); err != nil {
		return err
	}
	_, err := s.call(ctx, "delete", func(ctx context.Context) (any, error) {
		return s.client.Unlink(ctx, s.key(id)).Result()
	})
	return err
}
