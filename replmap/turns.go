package replmap

import (
	"context"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// turns has a lock for each bucket that can be held while something is sent or the
// application is called: who waits for it can give up.
type turns [entry.Buckets]chan struct{}

func newTurns() *turns {
	t := new(turns)
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
	return t
}

// take waits for the turn of a key, and returns what ends it. It fails with the cause of
// ctx.
func (t *turns) take(ctx context.Context, key string) (end func(), err error) {
	c := t[entry.Bucket(key)]
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	default:
	}
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
