//go:build interop

package interop

import (
	"strconv"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
)

// TestTwoPhaseCommit sends a series both ways, each message with its confirmation: alone, and if there is time over the
// layers that mark, compress and split messages and confirmations, on each side in its own way.
func TestTwoPhaseCommit(t *testing.T) {
	stacks := []struct {
		name, java string
		below      func() []channel.Interceptor
	}{
		{"", "dispatch,2pc,tcpfd", func() []channel.Interceptor { return nil }},
		{" over gzip and parts", "dispatch,2pc,gzip,frag,tcpfd", func() []channel.Interceptor {
			return []channel.Interceptor{new(interceptor.Gzip), &interceptor.Fragmentation{MaxSize: fragmentSize}}
		}},
	}
	if !long() {
		stacks = stacks[:1]
	}
	for _, v := range longOr(v101) {
		for _, stack := range stacks {
			t.Run(string(v)+stack.name, func(t *testing.T) {
				ctx := testContext(t)
				address := freeGroup(t)
				c := &interceptor.TwoPhaseCommit{Expire: 2 * patience} // the ack timeout is patience
				layers := append([]channel.Interceptor{new(interceptor.Dispatch), c}, stack.below()...)
				n := startNode(ctx, t, goConfig{
					Group:   address,
					Layers:  append(layers, new(interceptor.TCPFailureDetector)),
					Options: []group.Option{patientGo},
				})
				p := startPeer(ctx, t, v, peerConfig{
					Group: address, Stack: stack.java, Heap: "1g",
					Flags: append([]string{"--frag-size", strconv.Itoa(fragmentSize)}, fragmentJava...),
				})
				meet(ctx, t, n, p)
				trade(ctx, t, n, p, bulkSend{Options: optSync, Series: series{profile: fragmentProfile}, Count: greatCount}, inOrder)
				st := c.Stats()
				t.Logf("%+v", st)
				if st.Confirmed != greatCount || st.Delivered != greatCount || st.Withheld+st.Expired+st.Refused != 0 || st.Waiting != 0 {
					t.Errorf("TwoPhaseCommit.Stats = %+v, want %d confirmed each way and nothing lost or kept", st, greatCount)
				}
			})
		}
	}
}
