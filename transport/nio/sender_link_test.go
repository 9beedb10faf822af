package nio

import (
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

func TestUnackedIsWritten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		one, two := b.send(0, "one", f), b.send(0, "two", f)
		c := f.accept()
		if o := c.want("one").Options; o != message.ByteMessage {
			t.Errorf("options = %v, want %v", o, message.ByteMessage)
		}
		c.want("two")
		one.want(message.Written, nil)
		two.want(message.Written, nil)
	})
}

func TestPlainAck(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		s := b.send(message.Sync, "one", f)
		c := f.accept()
		want := message.ByteMessage | message.Sync | message.NumberedAcks
		if o := c.want("one").Options; o != want {
			t.Errorf("options = %v, want %v", o, want)
		}
		synctest.Wait()
		if !s.pending() {
			t.Error("settled before the answer")
		}
		c.ack()
		r := s.want(message.Acknowledged, nil)
		if r.Retried {
			t.Error("Retried = true, want false")
		}
		s = b.send(message.Sync, "two", f)
		c.want("two")
		c.failAck()
		if r := s.want(message.Refused, nil); !isRemote(r.Err, "") {
			t.Errorf("error = %v, want a *message.RemoteError", r.Err)
		}
		if got, want := b.heard(), []string{"up"}; !cmp.Equal(got, want) {
			t.Errorf("events (-want +got):\n%s", cmp.Diff(want, got))
		}
	})
}

// TestUnprovenLink has one acked frame on its way before the first answer, and
// nothing overtakes it.
func TestUnprovenLink(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		b.send(0, "before", f)
		b.send(message.UseAck, "one", f)
		two := b.send(message.UseAck, "two", f)
		after := b.send(0, "after", f)
		c := f.accept()
		c.want("before")
		c.want("one")
		synctest.Wait()
		if !two.pending() || !after.pending() || len(c.buf) > 0 {
			t.Error("an unproven link went on without an answer")
		}
		if n := f.dialled(); n != 1 {
			t.Errorf("%d connections to a member of unknown kind, want 1", n)
		}
		c.numbered(1)
		c.want("two")
		c.want("after")
		c.numbered(2)
		two.want(message.Acknowledged, nil)
		after.want(message.Written, nil)
	})
}
