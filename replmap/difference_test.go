package replmap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// long is a value of n bytes without repetitions, the same for each seed.
func long(n int, seed uint64) []byte {
	rnd, b := rand.New(rand.NewPCG(seed, 7)), make([]byte, n)
	for i := range b {
		b[i] = byte(' ' + rnd.IntN(90))
	}
	return b
}

// edited is a value with n other bytes at a place.
func edited(v []byte, at, n int, seed uint64) []byte {
	w := append([]byte(nil), v...)
	copy(w[at:], long(n, seed))
	return w
}

// traffic counts what members send.
type traffic struct{ layers []*interceptor.Throughput }

func (x *traffic) layer(string) []channel.Interceptor {
	x.layers = append(x.layers, new(interceptor.Throughput))
	return []channel.Interceptor{x.layers[len(x.layers)-1]}
}

func (x *traffic) bytes() (n uint64) {
	for _, l := range x.layers {
		n += l.Stats().Sent.Bytes
	}
	return n
}

// primaryFirst are members in the order of what they weigh for a key.
func primaryFirst(t *testing.T, key string, all []*node) (sorted []*node) {
	t.Helper()
	nodes := make([][16]byte, len(all))
	for i, n := range all {
		nodes[i] = n.g.Local().ID()
	}
	for _, i := range entry.Ranked(key, nodes) {
		sorted = append(sorted, all[i])
	}
	return sorted
}

// resent is how many differences were sent whole after all.
func resent(all []*node) (n uint64) {
	for _, x := range all {
		n += x.Stats().Resent
	}
	return n
}

// checkValue fails unless a key is that on all members.
func checkValue(t *testing.T, key string, want []byte, all ...*node) {
	t.Helper()
	for _, n := range all {
		if got := n.get(key); got != string(want) {
			t.Errorf("%s has another value of %d bytes", n.name, len(got))
		}
	}
}

// A value of 100 KB of which some bytes change goes over the wire as those, whoever writes
// it and however, to all members that are to have it.
func TestDifferences(t *testing.T) {
	writes := map[string]func(n *node, v []byte) error{
		"Put": func(n *node, v []byte) error { return n.Put(context.Background(), "k", string(v)) },
		"Update": func(n *node, v []byte) error {
			_, err := n.Update(context.Background(), "k", func(string, bool) (string, bool, error) { return string(v), true, nil })
			return err
		},
		"PutIfVersion": func(n *node, v []byte) error {
			at, _ := n.Version("k")
			_, put, err := n.PutIfVersion(context.Background(), "k", string(v), time.Hour, at)
			if !put {
				return fmt.Errorf("not put: %w", err)
			}
			return err
		},
	}
	for name, write := range writes {
		for _, wait := range []Wait{WaitAll, WaitOne, WaitNone} {
			t.Run(fmt.Sprint(name, " ", wait), func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					f, sent := backups(t, 2, func(c *Config[string, string]) { c.Wait = wait }), new(traffic)
					f.in = sent.layer
					all := f.start("a", "b", "c")
					v := long(100_000, 1)
					all[0].put("k", string(v))
					time.Sleep(100 * time.Millisecond)
					before := sent.bytes()
					for i := range 30 {
						v = edited(v, 1000+3000*i, 10, uint64(i))
						must(t, write(all[i%3], v))
						time.Sleep(100 * time.Millisecond)
					}
					if n := (sent.bytes() - before) / 30; n > 1500 {
						t.Errorf("%d bytes for each write of 10", n)
					}
					if n := resent(all); n > 0 {
						t.Errorf("%d values were sent whole", n)
					}
					checkValue(t, "k", v, all...)
					time.Sleep(5 * time.Second)
					checkPlaced(t, 2, all...)
					stopAll(all...)
				})
			})
		}
	}
}

// A member that does not have the value which others take it to have gets the new one whole:
// because it has an older one, or a proxy, or another value of the same version.
func TestDifferenceToWhatIsNotThere(t *testing.T) {
	faults := map[string]func(t *testing.T, n *node, before entry.Entry){
		"older": func(t *testing.T, n *node, _ entry.Entry) {},
		"proxy": func(t *testing.T, n *node, before entry.Entry) {
			_, err := n.r.table.Merge(&before)
			must(t, err)
			if !n.r.table.Drop(before.State()) {
				t.Fatal("no value to drop")
			}
		},
		"other": func(t *testing.T, n *node, before entry.Entry) {
			other := entry.Entry{Key: before.Key, Version: before.Version, Value: edited(before.Value, 5, 5, 5), Lifetime: entry.Forever}
			_, err := n.r.table.Merge(&other)
			must(t, err)
		},
		"nothing lost": func(t *testing.T, n *node, before entry.Entry) {
			_, err := n.r.table.Merge(&before)
			must(t, err)
		},
	}
	for name, fault := range faults {
		for _, decides := range []string{"the other", "who writes"} {
			t.Run(name+" "+decides, func(t *testing.T) {
				inBubble(t, func(t *testing.T) {
					all := backups(t, 1, nil).start("a", "b")
					holders := primaryFirst(t, "k", all)
					writer, other := holders[0], holders[1]
					if decides == "the other" {
						writer, other = other, writer
					}
					v := long(50_000, 1)
					writer.put("k", string(v))
					v = edited(v, 20_000, 10, 2) // is written, and lost on its way to the other
					before, _ := writer.r.table.Write(entry.Entry{Key: "k", Value: v, Lifetime: entry.Forever}, nil)
					fault(t, other, before)
					v = edited(v, 40_000, 10, 3)
					at, _ := writer.Version("k")
					_, put, err := writer.PutIfVersion(context.Background(), "k", string(v), 0, at)
					must(t, err)
					if decides == "the other" && name == "older" {
						// The primary knows another version: it learns of this one first.
						_, err := writer.Update(context.Background(), "k", func(string, bool) (string, bool, error) { return string(v), true, nil })
						must(t, err)
					} else if !put {
						t.Error("not put")
					}
					checkValue(t, "k", v, all...)
					if n := resent(all); (n == 0) != (name == "nothing lost") && !(decides == "the other" && name == "older") {
						t.Errorf("%d values were sent whole", n)
					}
					time.Sleep(5 * time.Second)
					checkPlaced(t, 1, all...)
					stopAll(all...)
				})
			})
		}
	}
}

// A difference that does not make the value it stands for is refused, and the value stays.
func TestForgedDifference(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := backups(t, 1, nil).start("a", "b")
		v := long(50_000, 1)
		all[0].put("k", string(v))
		n := all[0].rep.(*native)
		now, _ := n.table.Get("k")
		good := entry.Entry{Key: "k", Value: edited(v, 9, 9, 9), Version: now.Version, Lifetime: entry.Forever}
		good.Version.Counter++
		n.table.Digest(&good)
		diff := *n.table.Difference(&now, &good)
		forge := map[string]func(e *entry.Entry, d *entry.Diff){
			"sum":     func(e *entry.Entry, _ *entry.Diff) { e.Sum++ },
			"size":    func(_ *entry.Entry, d *entry.Diff) { d.Size-- },
			"steps":   func(_ *entry.Entry, d *entry.Diff) { d.Steps = []byte("nonsense") },
			"base":    func(_ *entry.Entry, d *entry.Diff) { d.BaseSum++ },
			"version": func(_ *entry.Entry, d *entry.Diff) { d.Base.Counter++ },
			"bomb": func(e *entry.Entry, d *entry.Diff) { // the old value many times over
				d.Size, d.Steps = 0, nil
				for range 100 {
					d.Steps = append(d.Steps, 0xa1, 0x8d, 0x06, 0) // copy 50 000 from 0
					d.Size += 50_000
				}
			},
		}
		p := all[1].rep.(*native).peers.Get(all[0].g.Local().ID())
		for name, change := range forge {
			e, d := good, diff
			e.Value, e.Diff = nil, &d
			change(&e, &d)
			if err := p.send(context.Background(), &mapwire.Change{Entries: []entry.Entry{e}}); !says(err, entry.ErrBase) {
				t.Errorf("%s: %v", name, err)
			}
			checkValue(t, "k", v, all...)
		}
		e := good
		e.Value, e.Diff = nil, &diff
		must(t, p.send(context.Background(), &mapwire.Change{Entries: []entry.Entry{e}}))
		checkValue(t, "k", good.Value, all[0])
		stopAll(all...)
	})
}

// Members of version 1 of the protocol get values whole, from whoever has them.
func TestDifferencesAreForWhoKnowsThem(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := []*node{f.boot("a"), f.boot("b")}
		all[1].rep.(*native).speaks = mapwire.Version
		for _, n := range all {
			must(t, n.Start(context.Background()))
		}
		v := long(50_000, 1)
		for i := range 10 {
			v = edited(v, 100*i, 10, uint64(i))
			_, err := all[i%2].Update(context.Background(), "k", func(string, bool) (string, bool, error) { return string(v), true, nil })
			must(t, err)
			checkValue(t, "k", v, all...)
		}
		for _, n := range all {
			if s := n.Stats(); s.Differences > 0 || s.Resent > 0 || s.Malformed > 0 {
				t.Errorf("%s: %+v", n.name, s)
			}
		}
		stopAll(all...)
	})
}

// Who asks a primary and has what that has is not sent it again.
func TestAnswersLeaveOutWhatIsKnown(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, sent := backups(t, 1, func(c *Config[string, string]) { c.Wait = WaitOne }), new(traffic)
		f.in = sent.layer
		all := f.start("a", "b")
		asks := primaryFirst(t, "k", all)[1]
		v := long(50_000, 1)
		asks.put("k", string(v))
		before := sent.bytes()
		for range 10 {
			swapped, err := asks.CompareAndSwap(context.Background(), "k", "what never is", "")
			must(t, err)
			if swapped {
				t.Error("swapped")
			}
		}
		if n := (sent.bytes() - before) / 10; n > 500 {
			t.Errorf("%d bytes for an answer that is known", n)
		}
		checkValue(t, "k", v, all...)
		stopAll(all...)
	})
}

// A member that is not to have a value and writes it again and again fetches it once, and
// sends what is different; when another has written it, it fetches that.
func TestDifferencesOfWhoHasAProxy(t *testing.T) {
	for _, wait := range []Wait{WaitAll, WaitOne} {
		inBubble(t, func(t *testing.T) {
			f, sent := backups(t, 1, func(c *Config[string, string]) { c.Wait = wait }), new(traffic)
			f.in = sent.layer
			all := f.start("a", "b", "c")
			sorted := primaryFirst(t, "k", all)
			writer := sorted[2]
			v := long(100_000, 1)
			sorted[0].put("k", string(v))
			time.Sleep(100 * time.Millisecond)
			write := func(n *node, i int) {
				t.Helper()
				want := v
				v = edited(v, 1000+3000*i, 10, uint64(i))
				_, err := n.Update(context.Background(), "k", func(old string, _ bool) (string, bool, error) {
					if old != string(want) {
						t.Error("another value is there")
					}
					return string(v), true, nil
				})
				must(t, err)
				time.Sleep(100 * time.Millisecond)
			}
			write(writer, 0)
			before := sent.bytes()
			for i := range 20 {
				write(writer, i+1)
			}
			if n := (sent.bytes() - before) / 20; n > 2000 || writer.Stats().Fetched != 1 {
				t.Errorf("%v: %d bytes for each write of 10, %d fetched", wait, n, writer.Stats().Fetched)
			}
			write(sorted[0], 22)
			write(writer, 23)
			if n := writer.Stats().Fetched; n != 2 || resent(all) > 0 {
				t.Errorf("%v: %d fetched, %d sent whole", wait, n, resent(all))
			}
			checkValue(t, "k", v, all...)
			time.Sleep(5 * time.Second)
			checkPlaced(t, 1, all...)
			stopAll(all...)
		})
	}
}

// What is kept of values that are elsewhere is bounded, and counts for one version.
func TestRecentValues(t *testing.T) {
	var x recent
	state := func(i int) entry.Entry {
		return entry.Entry{Key: fmt.Sprint(i), Version: entry.Version{Counter: 1 + uint64(i)}, Value: make([]byte, 1<<20)}
	}
	for i := range 100 {
		e := state(i)
		x.keep(e)
		proxy := e
		proxy.Strip()
		if got, there := x.get(proxy); !there || len(got.Value) != len(e.Value) {
			t.Fatalf("%d is not there", i)
		}
	}
	if len(x.all) < 25 || x.bytes > maxRecent {
		t.Errorf("%d values, %d bytes", len(x.all), x.bytes)
	}
	for key, e := range x.all {
		e.Version.Counter++
		if _, there := x.get(e); there || x.all[key].Key != "" {
			t.Error("a value of another version")
		}
	}
	big := state(1)
	big.Value = make([]byte, maxRecent/2)
	if x.keep(big); len(x.all) > 0 || x.bytes != 0 {
		t.Errorf("%d values, %d bytes", len(x.all), x.bytes)
	}
}

// The answer of a primary that waits for nobody is made while the write is on its way: the two
// do not share it. (The race detector shows it.)
func TestAnswerBesideDelivery(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		all := backups(t, 1, func(c *Config[string, string]) { c.Wait = WaitNone }).start("a", "b", "c")
		sorted := primaryFirst(t, "k", all)
		v := long(50_000, 1)
		sorted[0].put("k", string(v))
		time.Sleep(time.Second)
		for i := range 20 {
			w := edited(v, 100*i, 10, uint64(i))
			swapped, err := sorted[2].CompareAndSwap(t.Context(), "k", string(v), string(w))
			if !swapped || err != nil {
				t.Fatalf("swapped %v, %v", swapped, err)
			}
			v = w
		}
		time.Sleep(10 * time.Second)
		checkValue(t, "k", v, all...)
		stopAll(all...)
	})
}
