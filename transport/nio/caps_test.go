package nio

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// What numbered acks say of a member is passed on: before the outcome of the message
// that was answered, when it changes, and until the connection has ended. Plain acks
// say nothing.
func TestSenderLearnsCaps(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		var told []message.Caps
		f, plain := b.member(), b.member()
		b.s.env.Learned = func(m *membership.Member, c message.Caps) {
			if m.Key() != f.member.Key() {
				t.Errorf("told of %s", m)
			}
			told = append(told, c) // the tests of a bubble wait for all else
		}
		c := b.proven(f) // by an ack that says nothing
		for i, caps := range []message.Caps{3, 3, 7} {
			s := b.send(message.Sync, "x", f)
			c.want("x")
			synctest.Wait()
			if len(told) != min(i, 1) {
				t.Errorf("told of %v before the answer", told)
			}
			c.say(string(message.AppendNumberedAck(nil, caps, uint64(i+2), nil)))
			s.want(message.Acknowledged, nil)
		}
		if got := b.s.Stats()[0].Caps; got != 7 {
			t.Errorf("Stats().Caps = %d, want 7", got)
		}
		c.Close()
		<-time.After(time.Second)
		s := b.send(message.Sync, "x", plain)
		p := plain.accept()
		p.want("x")
		p.ack()
		s.want(message.Acknowledged, nil)
		if diff := cmp.Diff([]message.Caps{3, 7, 0}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// The answers of a receiver have what its channel announces.
func TestReceiverTellsCaps(t *testing.T) {
	q := ackQueue{caps: 5}
	q.push(ackDone)
	data, _, err := message.Scan(q.append(nil), 0)
	if err != nil {
		t.Fatal(err)
	}
	var r message.Reply
	if err := message.ParseReply(data, &r); err != nil || r.Caps != 5 || r.UpTo != 1 {
		t.Errorf("the answer is %v with the extensions %d, %v; want 5", &r, r.Caps, err)
	}
}
