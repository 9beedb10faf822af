//go:build !race

package nio

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"

	"github.com/gotribes/tribes/message"
)

// TestReceiverAllocatesNothing exchanges messages and answers in steady state.
func TestReceiverAllocatesNothing(t *testing.T) {
	const idAt = 27
	for _, o := range []message.Options{optNone, optAck, optSync, optAckNum, optSyncNum} {
		eachPoller(t, func(t *testing.T, p Poller) {
			for _, batch := range []int{1, 16} {
				t.Run(fmt.Sprintf("%v/batch=%d", o, batch), func(t *testing.T) {
					got := make(chan struct{}, batch)
					g := newRx(t, ReceiverConfig{Poller: p}, nil)
					g.r.env.Deliver = func(context.Context, *message.Message) error {
						got <- struct{}{}
						return nil
					}
					c := g.dial()
					frame := []byte(newFrames(t).frame(o, string(make([]byte, 1000))))
					out := make([]byte, 0, batch*len(frame))
					in := make([]byte, 4096)
					next := uint64(0)
					exchange := func() {
						out = out[:0]
						for range batch {
							next++
							binary.BigEndian.PutUint64(frame[idAt:], next)
							out = append(out, frame...)
						}
						if _, err := c.Write(out); err != nil {
							t.Fatal(err)
						}
						for range batch {
							<-got
						}
						if o.Acked() {
							readAnswers(t, c, in, o, next, batch)
						}
					}
					for range 2 * dupGuard / batch { // until every table has its size
						exchange()
					}
					if n := testing.AllocsPerRun(500, exchange); n >= 1 {
						t.Errorf("%v allocations for %d messages, want 0", n, batch)
					}
				})
			}
		})
	}
}

// readAnswers reads what a batch is answered with.
func readAnswers(t *testing.T, c net.Conn, in []byte, o message.Options, last uint64, batch int) {
	have := 0
	for !answered(in[:have], o, last, batch) {
		n, err := c.Read(in[have:])
		if err != nil {
			t.Fatal(err)
		}
		have += n
	}
}

// answered reports whether b ends the answers to a batch: as many plain ones, or
// a numbered one up to the last frame.
func answered(b []byte, o message.Options, last uint64, batch int) bool {
	if !o.Has(message.NumberedAcks) {
		return len(b) == batch*len(message.AckFrame)
	}
	const size, upToAt = 7 + 4 + 4 + 1 + 4 + 8 + 4 + 7, 7 + 4 + 4 + 1 + 4
	for ; len(b) >= size; b = b[size:] {
		if binary.BigEndian.Uint64(b[upToAt:]) == last {
			return true
		}
	}
	return false
}
