package nio

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// turmoil is a member whose connections break at random. It knows repeats, as
// ours do.
type turmoil struct {
	numbered bool
	mu       sync.Mutex
	random   *rand.Rand
	seen     map[message.ID]int
	order    map[uint32]uint32 // last message of each caller, by first arrival
	errs     []error
}

func (u *turmoil) chance(percent int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.random.IntN(100) < percent
}

// serve is one connection.
func (u *turmoil) serve(c *fakeConn) {
	defer c.Close()
	acked := uint64(0)
	for {
		if u.chance(3) {
			return
		}
		f := c.frame()
		if f == nil {
			return
		}
		u.note(f)
		if !f.Options.Acked() {
			continue
		}
		acked++
		if u.chance(3) {
			return // it was received, and the answer is lost
		}
		if u.numbered && u.chance(10) {
			continue // answered together with a later one, or never
		}
		answer := []byte(message.AckFrame)
		if u.numbered {
			answer = message.AppendNumberedAck(nil, 0, acked, nil)
		}
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

func (u *turmoil) note(f *message.Frame) {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := message.ID(f.ID)
	u.seen[id]++
	if u.seen[id] > 1 {
		return
	}
	caller, n := binary.BigEndian.Uint32(f.Message), binary.BigEndian.Uint32(f.Message[4:])
	if u.numbered && n <= u.order[caller] {
		u.errs = append(u.errs, fmt.Errorf("message %d of caller %d came after %d", n, caller, u.order[caller]))
	}
	u.order[caller] = n
}

// TestTurmoil sends through connections that break all the time: every message
// is settled once (a receipt panics at the second), what was acknowledged was
// received, what was not sent was not, and towards members of ours the order
// holds.
func TestTurmoil(t *testing.T) {
	for seed := range uint64(20) {
		for _, numbered := range []bool{true, false} {
			t.Run(fmt.Sprintf("seed=%d/numbered=%v", seed, numbered), func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) { runTurmoil(t, seed, numbered) })
			})
		}
	}
}

func runTurmoil(t *testing.T, seed uint64, numbered bool) {
	b := newBench(t, SenderConfig{Window: 8, Retries: 100, QueueMessages: 20, Pool: SenderPool{Size: 3, MaxUses: 50}})
	f := b.member()
	u := &turmoil{numbered: numbered, random: rand.New(rand.NewPCG(seed, 0)), seen: make(map[message.ID]int), order: make(map[uint32]uint32)}
	var conns sync.WaitGroup
	conns.Go(func() { // ends when f.conns is closed
		for c := range f.conns {
			if numbered {
				u.serve(c) // to its end, and only then the next one
			} else {
				conns.Go(func() { u.serve(c) }) // ends with the connection
			}
		}
	})
	var callers sync.WaitGroup
	var mu sync.Mutex
	var all []*sending
	for caller := range uint32(4) {
		callers.Go(func() { // ends when all is accepted
			for n := range uint32(100) {
				payload := binary.BigEndian.AppendUint32(nil, caller)
				payload = binary.BigEndian.AppendUint32(payload, n+1)
				o := message.Options(0)
				if u.chance(70) {
					o = message.UseAck
				}
				s := b.send(o, string(payload), f)
				mu.Lock()
				all = append(all, s)
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := b.s.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	close(f.conns)
	conns.Wait()
	for _, err := range u.errs {
		t.Error(err)
	}
	for _, s := range all {
		r := s.results()[0]
		seen := u.seen[s.id]
		switch {
		case r.Outcome == message.Acknowledged && seen == 0:
			t.Errorf("message %v was acknowledged and not received", s.id)
		case r.Outcome == message.NotSent && seen > 0:
			t.Errorf("message %v was not sent and received: %v", s.id, r.Err)
		case r.Outcome == message.Acknowledged && !numbered && seen > 1 && !r.Retried:
			t.Errorf("message %v was received %d times and is not reported as a repeat", s.id, seen)
		}
	}
}
