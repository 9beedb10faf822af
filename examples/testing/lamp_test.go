package lamp

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m) }

// TestSwitchDuringPartition cuts the network and mends it again. Time is virtual:
// the seconds of the test take milliseconds.
func TestSwitchDuringPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := mem.NewNetwork(mem.Config{})
		left, right := newLamp(t, network, "left"), newLamp(t, network, "right")
		if err := left.g.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := left.Switch(t.Context(), true); err != nil || !right.On() {
			t.Errorf("Switch(on) = %v, the other lamp is on: %v", err, right.On())
		}

		network.Partition([]string{"left"}, []string{"right"})
		if err := left.Switch(t.Context(), false); !errors.Is(err, message.ErrTimeout) || !right.On() {
			t.Errorf("Switch(off) in a partition = %v, the other lamp is on: %v; want a timeout", err, right.On())
		}

		network.Heal()
		if err := left.g.WaitMembers(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := left.Switch(t.Context(), false); err != nil || right.On() {
			t.Errorf("Switch(off) after the heal = %v, the other lamp is on: %v", err, right.On())
		}
	})
}

func newLamp(t *testing.T, network *mem.Network, host string) *Lamp {
	t.Helper()
	node := network.Node(host).Config()
	l, err := New(t.Context(), group.WithTransport(node.Sender, node.Receiver), group.WithMembership(node.Membership),
		group.WithStopTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
