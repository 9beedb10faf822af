package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// lateness is how late the answer to a WAIT may come: the server looks for those that are over
// ten times a second.
const lateness = 200 * time.Millisecond

// saveAndWait is saveScript with a WAIT behind it on the same connection, without which that
// would wait for what others have written. What it returns is confirmed, unless that is
// overtaken.
func (s *Store) saveAndWait(ctx context.Context, keys []string, args []any) (int, error) {
	var master goredis.Cmdable = s.client
	cluster, ok := s.client.(*goredis.ClusterClient)
	if ok { // it would send the WAIT, which has no key, to any node
		m, err := cluster.MasterForKey(ctx, keys[0])
		if err != nil {
			return 0, err
		}
		master = m
	}
	limit, _ := ctx.Deadline() // call has set one
	left := time.Until(limit)
	most := left - max(left/10, lateness)
	var saved, acks *goredis.Cmd
	_, err := master.Pipelined(ctx, func(p goredis.Pipeliner) error {
		saved = p.Eval(ctx, saveText, keys, args...)
		acks = p.Do(ctx, "WAIT", s.config.Replicas, max(most.Milliseconds(), 1))
		return nil
	})
	if err != nil {
		if ok { // the key may have moved: the next save finds it
			cluster.ReloadState(ctx)
		}
		return 0, err
	}
	done, err := saved.Int()
	if err != nil || done == overtaken {
		return done, err
	}
	// Who is overtaken loads what is stored, and may find that it is its own save, of which it
	// was told that it is not confirmed, and leave it at that: so it is to be confirmed here.
	n, err := acks.Int()
	if err == nil && n < s.config.Replicas {
		err = fmt.Errorf("%w: %d of %d", ErrReplicas, n, s.config.Replicas)
	}
	return done, err
}
