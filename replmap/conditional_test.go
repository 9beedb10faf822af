package replmap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Of conditional writes to a key at the same time, on whatever members, one comes after
// the other: none is lost.
func TestConditionalWritesAreOneAfterTheOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		var tasks sync.WaitGroup
		for _, n := range all {
			for range 3 {
				tasks.Go(func() {
					for i := range 20 {
						if err := add(n, fmt.Sprint("n", i%4)); err != nil {
							t.Errorf("%s: %v", n.name, err)
						}
					}
				})
			}
		}
		tasks.Wait()
		for _, n := range all {
			for i := range 4 {
				if got := n.get(fmt.Sprint("n", i)); got != "45" {
					t.Errorf("%s: n%d is %s, want 45", n.name, i, got)
				}
			}
		}
		checkSame(t, all...)
		for _, n := range all {
			n.stop()
		}
	})
}

// add adds one to a number.
func add(n *node, key string) error {
	_, err := n.Update(context.Background(), key, func(old string, there bool) (string, bool, error) {
		i := 0
		if there {
			var err error
			if i, err = strconv.Atoi(old); err != nil {
				return "", false, err
			}
		}
		return strconv.Itoa(i + 1), true, nil
	})
	return err
}

func TestConditions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		ctx := context.Background()
		for i := range 12 { // keys of every primary
			key := fmt.Sprint("k", i)
			n := all[i%3]
			check := func(what string, got, want bool, err error) {
				t.Helper()
				if got != want || err != nil {
					t.Errorf("%s of %s: %v, %v; want %v", what, key, got, err, want)
				}
			}
			ok, err := n.CompareAndSwap(ctx, key, "1", "2")
			check("swap of nothing", ok, false, err)
			now, ok, err := n.PutIfAbsent(ctx, key, "1")
			check("put", ok && now == "1", true, err)
			now, ok, err = n.PutIfAbsent(ctx, key, "2")
			check("second put", ok || now != "1", false, err)
			ok, err = n.CompareAndSwap(ctx, key, "0", "2")
			check("swap of another", ok, false, err)
			ok, err = n.CompareAndSwap(ctx, key, "1", "2")
			check("swap", ok, true, err)
			ok, err = n.CompareAndDelete(ctx, key, "1")
			check("deletion of another", ok, false, err)
			for _, x := range all {
				if x.get(key) != "2" {
					t.Errorf("%s: %s is %s", x.name, key, x.get(key))
				}
			}
			ok, err = n.CompareAndDelete(ctx, key, "2")
			check("deletion", ok, true, err)
			if _, err := n.Update(ctx, key, func(_ string, there bool) (string, bool, error) { return "", false, nil }); err != nil {
				t.Error(err)
			}
		}
		for _, n := range all {
			if n.Len() != 0 {
				t.Errorf("%s has %v", n.name, n.all())
			}
			n.stop()
		}
	})
}

// Every key has a primary, the same on all members, also after a crash and a join.
func TestEveryKeyHasAPrimary(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b", "c")
		check := func(nodes ...*node) {
			t.Helper()
			count := make(map[string]int)
			for i := range 300 {
				key := fmt.Sprint("k", i)
				p := nodes[0].Primary(key)
				if p == nil {
					t.Fatalf("%s has no primary", key)
				}
				count[p.String()]++
				for _, n := range nodes[1:] {
					if q := n.Primary(key); q == nil || q.ID() != p.ID() {
						t.Errorf("primary of %s is %v on %s, %v on %s", key, p, nodes[0].name, q, n.name)
					}
				}
			}
			if len(count) != len(nodes) {
				t.Errorf("primaries: %v", count)
			}
		}
		check(all...)
		all[1].crash()
		time.Sleep(10 * time.Second)
		check(all[0], all[2])
		d := f.start("d")[0]
		check(all[0], all[2], d)
		for _, n := range []*node{all[0], all[2], d} {
			n.stop()
		}
	})
}

// A conditional write whose primary cannot be reached is uncertain if it may have arrived,
// and otherwise waits for another primary.
func TestPrimaryIsLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		a, b := all[0], all[1]
		key := ""
		for i := range 100 {
			if key = fmt.Sprint("k", i); a.Primary(key).ID() == b.g.Local().ID() {
				break
			}
		}
		f.net.Isolate("b")
		_, _, err := a.PutIfAbsent(context.Background(), key, "1")
		if !errors.Is(err, ErrUncertain) {
			t.Errorf("asked a primary that is cut off: %v", err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, put, err := a.PutIfAbsent(ctx, key, "2"); !put || err != nil {
			t.Errorf("after it was lost: %v, %v", put, err)
		}
		f.net.Heal()
		time.Sleep(10 * time.Second)
		checkSame(t, all...)
		a.stop()
		b.stop()
	})
}

// A cancelled context ends the wait and not the write.
func TestWriteWithCancelledContext(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, func(c *Config[string, string]) { c.Budget = 5 * time.Second })
		all := f.start("a", "b")
		ctx, cancel := context.WithCancelCause(context.Background())
		why := errors.New("enough")
		cancel(why)
		if err := all[0].Put(ctx, "k", "v"); !errors.Is(err, why) {
			t.Errorf("Put = %v", err)
		}
		time.Sleep(time.Second)
		if all[1].get("k") != "v" {
			t.Error("the write has not arrived")
		}
		all[0].stop()
		all[1].stop()
	})
}

// An update can give the entry a lifetime, which it has on each member, whoever decides.
func TestUpdateFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFarm(t, nil)
		all := f.start("a", "b")
		ctx := context.Background()
		for _, key := range []string{"k1", "k2", "k3", "k4"} { // of both primaries
			for i, lifetime := range []time.Duration{time.Second, 5 * time.Second, 0} {
				v, err := all[i%2].UpdateFor(ctx, key, func(old string, there bool) (string, time.Duration, bool, error) {
					if there {
						t.Errorf("%s is there", key)
					}
					return "v", lifetime, true, nil
				})
				if v != "v" || err != nil {
					t.Fatal(v, err)
				}
				time.Sleep(lifetime - 20*time.Millisecond)
				for _, n := range all {
					if n.get(key) != "v" {
						t.Errorf("%s: %s is over too early", n.name, key)
					}
				}
				time.Sleep(25 * time.Millisecond)
				for _, n := range all {
					if got := n.get(key); (got == "-") != (lifetime > 0) {
						t.Errorf("%s: %s is %s after %v", n.name, key, got, lifetime)
					}
				}
			}
		}
		if _, err := all[0].UpdateFor(ctx, "k", func(string, bool) (string, time.Duration, bool, error) { return "", -1, true, nil }); err == nil {
			t.Error("a negative lifetime is accepted")
		}
		for _, n := range all {
			n.stop()
		}
	})
}
