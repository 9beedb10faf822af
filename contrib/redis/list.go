package redis

import (
	"context"
	"iter"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gotribes/tribes/session/store"
)

// scanCount is how many keys the server looks at in one step.
const scanCount = 500

// scanner is a client that can look through the keys of one server.
type scanner interface {
	Scan(ctx context.Context, cursor uint64, match string, count int64) *goredis.ScanCmd
}

// page is what one step of a scan has found.
type page struct {
	keys []string
	next uint64
}

// IDs implements [store.Lister]. It goes through all keys of all masters, also those of others
// than this store, a few hundred at a time, and remembers the ids: those of a million sessions
// take some 100 MB.
func (s *Store) IDs(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		masters, err := s.masters(ctx)
		if err != nil {
			yield("", err)
			return
		}
		seen := make(map[string]struct{}) // a scan may show a key twice, and so may one that moves
		for _, m := range masters {
			if !s.scan(ctx, m, seen, yield) {
				return
			}
		}
	}
}

// scan yields what is new on one server, and reports whether to go on.
func (s *Store) scan(ctx context.Context, m scanner, seen map[string]struct{}, yield func(string, error) bool) bool {
	for cursor := uint64(0); ; {
		v, err := s.call(ctx, "scan", func(ctx context.Context) (any, error) {
			keys, next, err := m.Scan(ctx, cursor, s.config.Prefix+"*", scanCount).Result()
			return page{keys, next}, err
		})
		if err != nil {
			yield("", err)
			return false
		}
		found := v.(page)
		for _, key := range found.keys {
			id := strings.TrimPrefix(key, s.config.Prefix)
			_, again := seen[id]
			if again || store.CheckID(id) != nil { // a longer prefix begins like this one
				continue
			}
			seen[id] = struct{}{}
			if !yield(id, nil) {
				return false
			}
		}
		if cursor = found.next; cursor == 0 {
			return true
		}
	}
}

// masters returns the servers that have the keys.
func (s *Store) masters(ctx context.Context) ([]scanner, error) {
	var each func(context.Context, func(context.Context, *goredis.Client) error) error
	switch c := s.client.(type) {
	case *goredis.ClusterClient:
		each = c.ForEachMaster
	case *goredis.Ring:
		each = c.ForEachShard
	default:
		return []scanner{s.client}, nil
	}
	v, err := s.call(ctx, "scan", func(ctx context.Context) (any, error) {
		var mu sync.Mutex // each runs the function for all masters at the same time
		var all []scanner
		err := each(ctx, func(_ context.Context, m *goredis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, m)
			return nil
		})
		return all, err
	})
	if err != nil {
		return nil, err
	}
	return v.([]scanner), nil
}
