package mem_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// How long things take over a link with a delay, and only because of it.
func TestDelay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{Link: mem.Link{Delay: 100 * time.Millisecond}})
		p.n.SetLink("b", "a", mem.Link{Delay: 50 * time.Millisecond})
		arrived := make(chan time.Time, 1)
		p.b.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { arrived <- time.Now(); return nil }))
		const there, round = 100 * time.Millisecond, 150 * time.Millisecond
		steps := []struct {
			name    string
			options message.Options
			settled time.Duration
			arrives time.Duration
		}{
			{"the first connects", message.Sync, 2 * round, round + there},
			{"sync ack", message.Sync, round, there},
			{"ack", message.UseAck, round, there},
			{"no ack", 0, 0, there},
		}
		for _, s := range steps {
			begin := time.Now()
			if r, took := p.send(t, s.options, "x"); r.Err != nil || took != s.settled {
				t.Errorf("%s: %v (%v) after %v, want success after %v", s.name, r.Outcome, r.Err, took, s.settled)
			}
			if at := (<-arrived).Sub(begin); at != s.arrives {
				t.Errorf("%s: arrived after %v, want %v", s.name, at, s.arrives)
			}
		}
	})
}

func TestBandwidth(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{Timeout: time.Minute})
		p.send(t, message.Sync, "connect")
		p.n.SetLink("a", "b", mem.Link{Bandwidth: 100_000})
		begin := time.Now()
		payload := strings.Repeat("x", 100_000)
		for range 5 {
			if _, err := p.a.Post(t.Context(), p.to, []byte(payload), 0, nil); err != nil {
				t.Fatal(err)
			}
		}
		if r, _ := p.send(t, message.Sync, payload); r.Err != nil {
			t.Fatal(r.Err)
		}
		if took := time.Since(begin); took < 6*second || took > 6*second+100*time.Millisecond {
			t.Errorf("600 kB at 100 kB/s took %v", took)
		}
	})
}

// order sends numbered messages one after the other without waiting for them,
// and returns the numbers in the order in which they arrived.
func order(t *testing.T, p *pair, o message.Options, count int) []uint32 {
	t.Helper()
	var got []uint32
	defer p.b.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		got = append(got, binary.BigEndian.Uint32(m.Payload()))
		return nil
	}))()
	var failed []error
	for i := range count {
		payload := binary.BigEndian.AppendUint32(nil, uint32(i))
		_, err := p.a.Post(t.Context(), p.to, payload, o, func(_ message.ID, err error) {
			if err != nil {
				failed = append(failed, err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	for _, err := range failed {
		t.Errorf("outcome: %v", err)
	}
	return got
}

func numbers(count int) []uint32 {
	all := make([]uint32, count)
	for i := range all {
		all[i] = uint32(i)
	}
	return all
}

// What each fault does to the messages of one sender.
func TestFaultsOnConnections(t *testing.T) {
	const count = 300
	none := func(s mem.Stats) uint64 { return s.Lost + s.Duplicated + s.Reordered }
	tests := []struct {
		name   string
		link   mem.Link
		sorted bool // nothing is overtaken
		once   bool // nothing comes twice
		stat   func(s mem.Stats) uint64
		least  uint64
		most   uint64
	}{
		{"perfect", mem.Link{}, true, true, none, 0, 0},
		{"delay", mem.Link{Delay: 10 * time.Millisecond}, true, true, none, 0, 0},
		{"jitter", mem.Link{Jitter: 10 * time.Millisecond}, true, true, none, 0, 0},
		{"loss", mem.Link{Loss: 0.1}, true, true, func(s mem.Stats) uint64 { return s.Lost }, 10, 3 * count},
		{"loss and jitter", mem.Link{Loss: 0.1, Jitter: 5 * time.Millisecond}, true, true, func(s mem.Stats) uint64 { return s.Lost }, 10, 3 * count},
		{"duplicates", mem.Link{Duplicate: 0.3}, false, false, func(s mem.Stats) uint64 { return s.Duplicated }, 50, 150},
		{"reordering", mem.Link{Reorder: 0.3}, false, true, func(s mem.Stats) uint64 { return s.Reordered }, 50, 150},
	}
	for _, test := range tests {
		for _, o := range []message.Options{0, message.UseAck, message.Sync} {
			t.Run(fmt.Sprint(test.name, "/", o), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					p := newPair(t, mem.Config{Seed: 1})
					p.n.SetLink("a", "b", test.link)
					got := order(t, p, o, count)
					if sorted := slices.IsSorted(got); sorted != test.sorted {
						t.Errorf("in order: %v, want %v", sorted, test.sorted)
					}
					slices.Sort(got)
					different := slices.Compact(slices.Clone(got))
					if diff := cmp.Diff(numbers(count), different); diff != "" {
						t.Errorf("arrived (-want +got):\n%s", diff)
					}
					if once := len(got) == len(different); once != test.once {
						t.Errorf("%d arrived of %d; each once: %v, want %v", len(got), count, once, test.once)
					}
					if n := test.stat(p.n.Stats()); n < test.least || n > test.most {
						t.Errorf("the network did it %d times, want %d to %d", n, test.least, test.most)
					}
				})
			})
		}
	}
}

// The same seed gives the same run, another one another.
func TestSeed(t *testing.T) {
	link := mem.Link{Delay: time.Millisecond, Jitter: 3 * time.Millisecond, Reorder: 0.2, Duplicate: 0.1, Loss: 0.05}
	run := func(seed uint64) (got []uint32) {
		bubble.Test(t, func(t *testing.T) {
			p := newPair(t, mem.Config{Seed: seed, Link: link})
			got = order(t, p, message.UseAck, 100)
		})
		return got
	}
	first := run(42)
	if diff := cmp.Diff(first, run(42)); diff != "" {
		t.Errorf("the same seed (-first +second):\n%s", diff)
	}
	if slices.Equal(first, run(43)) {
		t.Error("another seed gave the same order")
	}
	if a, b := mem.NewNetwork(mem.Config{}).Seed(), mem.NewNetwork(mem.Config{}).Seed(); a == b || a == 0 {
		t.Errorf("two networks without a seed took %d and %d", a, b)
	}
	if got := mem.NewNetwork(mem.Config{Seed: 7}).Seed(); got != 7 {
		t.Errorf("Seed() = %d, want 7", got)
	}
}

// A receiver that works off its messages slowly does not slow down others.
func TestSlowReceiver(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{Window: 10_000})
		fast := startChannel(t, p.n.Node("fast"))
		p.b.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { time.Sleep(100 * time.Millisecond); return nil }))
		if err := p.a.WaitMembers(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, 1000)
		var callers sync.WaitGroup
		ctx, cancel := context.WithTimeout(t.Context(), 10*second)
		defer cancel()
		callers.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				p.a.Send(ctx, p.to, payload, 0)
			}
		})
		sent := 0
		for ; ctx.Err() == nil; sent++ {
			begin := time.Now()
			_, err := p.a.Send(t.Context(), p.a.View().At(fast.Local().AddrPort()), payload, message.Sync)
			if took := time.Since(begin); err != nil || took != 0 {
				t.Fatalf("to the fast member: %v after %v", err, took)
			}
			time.Sleep(time.Millisecond)
		}
		callers.Wait()
		if p.got.Load() < 90 || p.got.Load() > 120 || sent < 9000 {
			t.Errorf("in 10 s the slow member got %d messages, the fast one %d", p.got.Load(), sent)
		}
	})
}

// Datagrams are lost and duplicated for good.
func TestDatagramFaults(t *testing.T) {
	tests := []struct {
		name string
		link mem.Link
		want message.Outcome
		got  int32
	}{
		{"well", mem.Link{Delay: time.Millisecond}, message.Acknowledged, 1},
		{"lost", mem.Link{Loss: 1}, message.Unknown, 0},
		{"twice", mem.Link{Duplicate: 1}, message.Acknowledged, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				p.n.SetLink("a", "b", test.link)
				if r, _ := p.send(t, message.UDP|message.UseAck, "x"); r.Outcome != test.want {
					t.Errorf("outcome = %v (%v), want %v", r.Outcome, r.Err, test.want)
				}
				time.Sleep(second)
				if p.got.Load() != test.got {
					t.Errorf("delivered %d times, want %d", p.got.Load(), test.got)
				}
			})
		})
	}
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{})
		p.n.SetLink("b", "a", mem.Link{Loss: 1})
		if r, _ := p.send(t, message.UDP|message.Sync, "x"); r.Outcome != message.Unknown || p.got.Load() != 1 {
			t.Errorf("with a lost answer: %v (%v), delivered %d times; want %v, once", r.Outcome, r.Err, p.got.Load(), message.Unknown)
		}
		p.n.SetLink("b", "a", mem.Link{Delay: second})
		time.AfterFunc(second/2, func() { p.n.Cut("b", "a") })
		if r, _ := p.send(t, message.UDP|message.Sync, "x"); r.Outcome != message.Unknown {
			t.Errorf("with an answer that was lost in the air: %v (%v), want %v", r.Outcome, r.Err, message.Unknown)
		}
	})
}

// Links can change while messages are in the air: what is cut off there is
// transmitted again.
func TestCutInTheAir(t *testing.T) {
	for _, direction := range [][2]string{{"a", "b"}, {"b", "a"}} {
		t.Run(direction[0], func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{})
				p.send(t, message.Sync, "connect")
				p.got.Store(0)
				p.n.SetLinks(mem.Link{Delay: 100 * time.Millisecond})
				for _, after := range []time.Duration{50, 150} {
					time.AfterFunc(after*time.Millisecond, func() { p.n.Cut(direction[0], direction[1]) })
					time.AfterFunc(after*time.Millisecond+400*time.Millisecond, func() { p.n.Mend(direction[0], direction[1]) })
					if r, _ := p.send(t, message.Sync, "x"); r.Err != nil {
						t.Errorf("cut after %d ms: %v (%v)", after, r.Outcome, r.Err)
					}
					time.Sleep(second)
				}
				if p.got.Load() != 2 {
					t.Errorf("delivered %d messages, want 2", p.got.Load())
				}
			})
		})
	}
}

func TestTrace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var lines []string
		n := mem.NewNetwork(mem.Config{})
		cfg := n.Node("a").Config()
		cfg.Trace = &channel.Trace{
			LinkUp:   func(*membership.Member) { lines = append(lines, "up") },
			LinkDown: func(_ *membership.Member, err error) { lines = append(lines, fmt.Sprint("down ", err)) },
		}
		a, err := channel.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		cfg = n.Node("b").Config()
		cfg.Trace = &channel.Trace{Accepted: func(from netip.AddrPort) { lines = append(lines, fmt.Sprint("accepted ", from.Addr())) }}
		b, err := channel.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []*channel.Channel{a, b} {
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer c.Stop(context.Background())
		}
		to := []*membership.Member{b.Local()}
		for range 2 {
			if _, err := a.Send(t.Context(), to, nil, message.Sync); err != nil {
				t.Fatal(err)
			}
		}
		n.Crash("b")
		want := []string{"accepted 10.0.0.1", "up", "down tribes: mem: connection reset by peer"}
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Errorf("traced (-want +got):\n%s", diff)
		}
	})
}
