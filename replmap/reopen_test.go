package replmap

import (
	"slices"
	"testing"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
)

// A map that is closed and opened again on the same member does not take answers that the one
// before was to get.
func TestAnswerToTheMapBefore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a, b := all[0], all[1]
		open := func() *node {
			m, err := New(Config[string, string]{Group: a.g, Name: "m", Keys: String(), Values: String()})
			must(t, err)
			must(t, m.Start(t.Context()))
			return &node{Map: m, f: f, name: "a", g: a.g}
		}
		must(t, a.Close(t.Context()))
		a = open()
		asked := a.rep.(*native).requests.Load() // at the start
		keys := absentKeys(b, 40)
		keys = []string{keys[0], keys[slices.IndexFunc(keys, func(key string) bool { return entry.Bucket(key) != entry.Bucket(keys[0]) })]}
		var ends []func()
		for _, key := range keys { // b takes its time
			end, err := b.r.writing.take(t.Context(), key)
			must(t, err)
			ends = append(ends, end)
		}
		type result struct {
			put bool
			err error
		}
		put := func(n *node, key string) <-chan result {
			done := make(chan result, 1)
			go func() {
				_, put, err := n.PutIfAbsent(t.Context(), key, "v")
				done <- result{put, err}
			}()
			time.Sleep(10 * time.Millisecond)
			return done
		}
		first := put(a, keys[0])
		must(t, a.Close(t.Context()))
		<-first
		a = open()
		n := a.rep.(*native)
		for n.requests.Load() < asked { // as at the first start
			n.requests.Add(1)
		}
		second := put(a, keys[1])
		ends[0]()
		time.Sleep(100 * time.Millisecond)
		select {
		case r := <-second:
			t.Errorf("put %v, %v, before it is decided", r.put, r.err)
		default:
			ends[1]()
			if r := <-second; !r.put || r.err != nil || !b.Has(keys[1]) {
				t.Errorf("put %v, %v, there %v", r.put, r.err, b.Has(keys[1]))
			}
		}
		stopAll(a, b)
	})
}
