package transporttest

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

func TestMain(m *testing.M) { leak.Main(m, message.CheckLive) }

// good makes nodes of a transport that is in order, on one network.
func good(link mem.Link) Maker {
	var n *mem.Network
	hosts := 0
	return func(s Settings) Node {
		if n == nil {
			n = mem.NewNetwork(mem.Config{Seed: 1, MaxFrame: s.MaxFrame, Timeout: s.Timeout, Window: s.Buffer, Link: link})
		}
		hosts++
		nd := n.Node(fmt.Sprint("host ", hosts))
		return Node{Sender: nd.Sender, Receiver: nd.Receiver}
	}
}

// verdict is a testing.TB that keeps the failures of a check to itself.
type verdict struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (v *verdict) Helper() {}

func (v *verdict) Errorf(format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed = append(v.failed, fmt.Sprintf(format, args...))
}

func (v *verdict) Fatalf(format string, args ...any) {
	v.Errorf(format, args...)
	runtime.Goexit()
}

// judge runs a check over nodes that sp has been at, and returns what it finds
// wrong.
func judge(t *testing.T, c check, sp *spoiler) (failed []string) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		v := &verdict{TB: t}
		maker := good(sp.link)
		done := make(chan struct{})
		go func() { // ends with the check, also with one that gives up
			defer close(done)
			run(v, func(s Settings) Node { return sp.spoil(maker(sp.change(s))) }, c.run)
		}()
		<-done
		failed = v.failed
	})
	return failed
}

// Each check finds a transport in order, also one over a wire that is not.
func TestGoodTransport(t *testing.T) {
	for _, c := range checks() {
		if failed := judge(t, c, new(spoiler)); failed != nil {
			t.Errorf("%s: %q", c.name, failed)
		}
	}
}

// Each check finds at least one kind of transport that is not in order.
func TestBadTransports(t *testing.T) {
	find := make(map[string]bool)
	for _, sp := range spoilers {
		for _, name := range sp.caught {
			find[name] = true
			i := slices.IndexFunc(checks(), func(c check) bool { return c.name == name })
			if i < 0 {
				t.Errorf("%s: there is no check %q", sp.name, name)
				continue
			}
			if failed := judge(t, checks()[i], sp); failed == nil {
				t.Errorf("%s: the check %q does not find it", sp.name, name)
			}
		}
	}
	for _, c := range checks() {
		if !find[c.name] {
			t.Errorf("nothing shows that the check %q can fail", c.name)
		}
	}
}
