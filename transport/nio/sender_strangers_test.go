package nio

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// TestStrangersAreForgotten sends to more addresses than there are members, as who
// answers messages with made up senders does: what is kept for them is bounded, and
// neither members nor messages under way suffer.
func TestStrangersAreForgotten(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var b *bench
		nobody := errors.New("nobody there")
		b = newBench(t, SenderConfig{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			b.world.mu.Lock()
			known := b.world.fakes[address] != nil
			b.world.mu.Unlock()
			if !known {
				return nil, nobody
			}
			return b.world.dial(ctx, network, address)
		}})
		member, idle, busy := b.member(), b.member(), b.member()
		b.s.Prepare(member.member)
		toMember := b.proven(member)
		toIdle := b.proven(idle)
		toBusy := b.proven(busy)
		waiting := b.send(message.UseAck, "waiting", busy)
		toBusy.want("waiting")
		for i := range 3 * maxStrangers {
			made := &fake{t: t, member: testMember(t, "10.7.0.1", 1+i)}
			b.send(message.UseAck, "x", made).want(message.NotSent, nobody)
			if n := len(b.s.known()); n > maxStrangers+1 {
				t.Fatalf("%d are kept after %d strangers, want at most %d and the member", n, i, maxStrangers)
			}
		}
		synctest.Wait()
		toIdle.wantEnd()
		toBusy.numbered(2)
		waiting.want(message.Acknowledged, nil)
		again := b.send(message.UseAck, "again", member)
		toMember.want("again")
		toMember.numbered(2)
		again.want(message.Acknowledged, nil)
		b.proven(idle)
	})
}
