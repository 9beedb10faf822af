//go:build interop

package interop

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
)

// TestTwoPhaseCommit sends a series both ways, each message with its confirmation.
func TestTwoPhaseCommit(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			address := freeGroup(t)
			c := &interceptor.TwoPhaseCommit{Expire: 2 * patience} // the ack timeout is patience
			n := startNode(ctx, t, goConfig{
				Group:   address,
				Layers:  []channel.Interceptor{new(interceptor.Dispatch), c, new(interceptor.TCPFailureDetector)},
				Options: []group.Option{patientGo},
			})
			p := startPeer(ctx, t, v, peerConfig{Group: address, Stack: "dispatch,2pc,tcpfd", Heap: "1g", Flags: patientJava})
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
