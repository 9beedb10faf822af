package mem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// What is in the air when a node ends, in whatever way, is given back: TestMain
// counts buffers in builds that can.
func TestEndWithMessagesInTheAir(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	ends := map[string]func(t *testing.T, p *pair){
		"crash of the sender":   func(_ *testing.T, p *pair) { p.n.Crash("a") },
		"crash of the receiver": func(_ *testing.T, p *pair) { p.n.Crash("b") },
		"crash of both":         func(_ *testing.T, p *pair) { p.n.Crash("a"); p.n.Crash("b") },
		"stop of the sender":    func(_ *testing.T, p *pair) { p.a.Stop(ended); <-p.a.Done() },
		"stop of the receiver":  func(_ *testing.T, p *pair) { p.b.Stop(ended); <-p.b.Done() },
		"orderly stop of the sender": func(t *testing.T, p *pair) {
			if err := p.a.Stop(t.Context()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		},
		"orderly stop of the receiver": func(t *testing.T, p *pair) {
			if err := p.b.Stop(t.Context()); err != nil {
				t.Errorf("Stop: %v", err)
			}
		},
		"isolation": func(_ *testing.T, p *pair) { p.n.Isolate("b") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				p := newPair(t, mem.Config{Link: mem.Link{
					Delay: 50 * time.Millisecond, Jitter: 50 * time.Millisecond, Duplicate: 0.5, Reorder: 0.3, Loss: 0.1,
				}})
				if err := p.a.WaitMembers(t.Context(), 1); err != nil {
					t.Fatal(err)
				}
				p.send(t, message.Sync, "connect")
				var sent, completed int
				for i := range 100 {
					o := []message.Options{0, message.UseAck, message.Sync, message.UDP, message.UDP | message.Sync, message.Multicast}[i%6]
					_, err := p.a.Post(t.Context(), p.to, make([]byte, i*10), o, func(message.ID, error) { completed++ })
					if err != nil {
						t.Fatal(err)
					}
					sent++
				}
				time.Sleep(60 * time.Millisecond)
				end(t, p)
				time.Sleep(time.Minute)
				synctest.Wait()
				if completed != sent {
					t.Errorf("%d of %d messages have an outcome", completed, sent)
				}
			})
		})
	}
}

// Datagrams to nobody, and to a node whose listener takes nothing, are lost.
func TestDatagramsLost(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{Window: 100_000})
		release := make(chan struct{})
		p.b.Listen(channel.ListenerFunc(func(context.Context, *message.Message) error { <-release; return nil }))
		const count = 100
		for range count {
			if r, _ := p.send(t, message.UDP, string(make([]byte, 10_000))); r.Outcome != message.Written {
				t.Fatalf("outcome = %v (%v), want %v", r.Outcome, r.Err, message.Written)
			}
		}
		if r, took := p.send(t, message.UDP|message.UseAck, "x"); r.Outcome != message.Unknown || took != 3*second {
			t.Errorf("outcome = %v (%v) after %v, want %v after 3s", r.Outcome, r.Err, took, message.Unknown)
		}
		close(release)
		synctest.Wait()
		if got := p.got.Load(); got < 8 || got > 14 {
			t.Errorf("%d datagrams of 10 kB were kept, want about 100 kB", got)
		}
		p.n.Crash("b")
		if r, _ := p.send(t, message.UDP|message.UseAck, "x"); r.Outcome != message.Unknown || !errors.Is(r.Err, message.ErrTimeout) {
			t.Errorf("outcome at a crashed node = %v (%v), want %v (%v)", r.Outcome, r.Err, message.Unknown, message.ErrTimeout)
		}
	})
}

// Parts that were not started, or start too late, say so.
func TestPartsOutOfTurn(t *testing.T) {
	n := mem.NewNetwork(mem.Config{})
	running := newProbing(t, n, "running")
	nd := n.Node("a")
	m := &message.Message{Source: running.local}
	r := message.NewReceipt(1, nil)
	to := []*membership.Member{running.local}
	if err := nd.Sender.Send(t.Context(), to, m, r); !errors.Is(err, channel.ErrNotStarted) {
		t.Errorf("Send before Start = %v, want %v", err, channel.ErrNotStarted)
	}
	if err := nd.Sender.Probe(t.Context(), running.local, channel.Probe{Kind: channel.ProbeConnect}); !errors.Is(err, channel.ErrNotStarted) {
		t.Errorf("Probe before Start = %v, want %v", err, channel.ErrNotStarted)
	}
	nd.Sender.Forget(running.local)
	nd.Membership.Update(running.local)
	n.Crash("a")
	if _, err := nd.Receiver.Start(t.Context(), channel.Env{}); !errors.Is(err, mem.ErrCrashed) {
		t.Errorf("Start after a crash = %v, want %v", err, mem.ErrCrashed)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Node("b").Receiver.Start(ended, channel.Env{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context = %v, want %v", err, context.Canceled)
	}
}

// A channel that is stopped long after its crash does not take the next run at its
// address off the network.
func TestStopAfterCrashSparesNextRun(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		p := newPair(t, mem.Config{})
		old := p.b
		p.n.Crash("b")
		p.b = startChannel(t, p.n.Node("b"))
		p.to = []*membership.Member{p.b.Local()}
		if err := old.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r, _ := p.send(t, message.UseAck, "x"); r.Outcome != message.Acknowledged {
			t.Errorf("outcome = %v (%v), want %v", r.Outcome, r.Err, message.Acknowledged)
		}
	})
}
