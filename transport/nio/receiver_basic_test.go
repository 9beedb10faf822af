package nio

import (
	"context"
	"errors"
	"testing"

	"github.com/gotribes/tribes/message"
)

func TestReceiverDelivers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, func(_ context.Context, m *message.Message) error {
			if string(m.Payload()) == "bad" {
				return errors.New("no good")
			}
			return nil
		})
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optNone, "a"), f.frame(optAck, "b"), f.frame(optSync, "c"))
		c.want(ackPlainOK, ackPlainOK)
		c.put(f.frame(optSync, "bad"))
		c.want(ackPlainBad)
		c.put(f.frame(optSyncNum, "d"))
		c.want(numberedAck(4))
		c.put(f.frame(optSyncNum, "bad"))
		c.want(numberedAck(5, refusalOf(5, "no good")))
		g.wantDelivered("a", "b", "c", "bad", "d", "bad")
	})
}
