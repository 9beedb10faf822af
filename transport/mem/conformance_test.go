package mem_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/transport/mem"
	"github.com/gotribes/tribes/transport/transporttest"
)

func TestConformance(t *testing.T) { transporttest.Run(t, open(mem.Link{})) }

func TestConformanceVirtual(t *testing.T) { transporttest.RunVirtual(t, open(mem.Link{})) }

// The suite has no demands on time but that messages arrive within a second or
// so: a bad wire must not show.
func TestConformanceOverBadLinks(t *testing.T) {
	for name, link := range map[string]mem.Link{
		"delay":  {Delay: 5 * time.Millisecond},
		"jitter": {Delay: time.Millisecond, Jitter: 10 * time.Millisecond},
		"slow":   {Delay: time.Millisecond, Bandwidth: 64 << 20},
	} {
		t.Run(name, func(t *testing.T) { transporttest.RunVirtual(t, open(link)) })
	}
}

func open(link mem.Link) func(t *testing.T) transporttest.Maker {
	return func(t *testing.T) transporttest.Maker {
		var n *mem.Network
		var first transporttest.Settings
		hosts := 0
		return func(s transporttest.Settings) transporttest.Node {
			if n == nil {
				first = s
				n = mem.NewNetwork(mem.Config{MaxFrame: s.MaxFrame, Timeout: s.Timeout, Window: s.Buffer, Link: link})
			}
			if s != first {
				t.Fatalf("one check uses nodes with different settings: %+v, %+v", first, s)
			}
			hosts++
			nd := n.Node(fmt.Sprint("host ", hosts))
			return transporttest.Node{Sender: nd.Sender, Receiver: nd.Receiver}
		}
	}
}
