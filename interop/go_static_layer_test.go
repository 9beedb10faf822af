//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
)

// TestStaticMembersAndPing lets a Go node and a Java node find each other by the lists of their static membership
// layers, with no membership service at all. Both ping, the Java node by messages since its ping stands below its
// failure detector; neither shows the pings of the other to its application.
// Messages pass both ways, and each learns by the notices of the other that it comes and goes.
func TestStaticMembersAndPing(t *testing.T) {
	for _, v := range longOr(v101) {
		t.Run(string(v), func(t *testing.T) {
			ctx := testContext(t)
			goPort, javaPort := freePort(t), freePort(t)
			goID, javaID := newID(), newID()
			startJava := func() *peer {
				return startPeer(ctx, t, v, peerConfig{
					Port: javaPort, ID: javaID, Stack: "dispatch,tcpfd,ping,static",
					Static: []string{fmt.Sprintf("%s:%d:%s", loopback, goPort, goID)},
					Flags:  append([]string{"--membership", "mcast", "--start", "3", "--heartbeat", "500", "--ping-thread", "true", "--ping-interval", "100"}, patientJava...),
				})
			}
			listed, err := membership.New(membership.Attributes{
				Host: netip.MustParseAddr(loopback), Port: javaPort, ID: parseID(t, javaID),
				SecurePort: membership.NoPort, UDPPort: membership.NoPort,
			})
			if err != nil {
				t.Fatal(err)
			}
			static := &interceptor.StaticMembers{Members: []*membership.Member{listed}}
			ping := &interceptor.TCPPing{Interval: 100 * time.Millisecond}
			java := startJava()
			n := startNode(ctx, t, goConfig{
				Port:    goPort,
				Layers:  []channel.Interceptor{new(interceptor.Dispatch), ping, new(interceptor.TCPFailureDetector), static},
				Options: []group.Option{group.WithID(parseID(t, goID)), group.WithServices(channel.ReceiveData | channel.SendData), patientGo},
			})
			meet(ctx, t, n, java)
			trade(ctx, t, n, java, bulkSend{Options: optSync, Series: series{1, 1000}, Count: staticCount()}, inOrder)

			java.leave(ctx)
			n.waitEvent(ctx, eventLeft, about(java))
			java = startJava()
			meet(ctx, t, n, java)
			t.Logf("%+v, %+v", static.Stats(), ping.Stats())
			if st := static.Stats(); st.Notices == 0 || st.Unknown != 0 {
				t.Errorf("StaticMembers.Stats = %+v, want notices of the Java node alone", st)
			}
			if st := ping.Stats(); st.Pings == 0 || st.Swallowed == 0 {
				t.Errorf("TCPPing.Stats = %+v, want pings of both sides", st)
			}
			n.leave()
			if e := java.waitEvent(ctx, "memberDisappeared", about(n)); e.Command != leaveCommand {
				t.Errorf("%s left with command %q, want %q", n, e.Command, leaveCommand)
			}
		})
	}
}
