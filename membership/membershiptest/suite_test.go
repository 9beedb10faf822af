package membershiptest

import (
	"testing"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/membership"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRun(t *testing.T) { Run(t, newGroup) }

func TestRunVirtual(t *testing.T) { RunVirtual(t, newGroup) }

// A union must pass like its parts: here each node is on two networks.
func TestUnion(t *testing.T) {
	RunVirtual(t, func(t testing.TB) *Group {
		one, two := new(bus), new(bus)
		node := func(i int) (Node, *service, *service) {
			a, b := one.service(), two.service()
			kill := func() {
				a.kill()
				b.kill()
			}
			return Node{Local: newLocal(t, i), Service: membership.Union(a, b), Kill: kill}, a, b
		}
		return &Group{
			Node: func(i int) Node {
				n, _, _ := node(i)
				return n
			},
			Broken: func() Node {
				n, _, b := node(1)
				b.broken = true
				return n
			},
			FailWithin: drop + 2*beat,
		}
	})
}

// Only some of the nodes are on both networks.
func TestUnionOfDifferentParts(t *testing.T) {
	RunVirtual(t, func(t testing.TB) *Group {
		one, two := new(bus), new(bus)
		return &Group{
			Node: func(i int) Node {
				a, b := one.service(), two.service()
				n := Node{Local: newLocal(t, i), Service: membership.Union(a, b), Kill: func() { a.kill(); b.kill() }}
				if i%2 == 1 {
					n.Service, n.Kill = a, a.kill
				}
				return n
			},
			FailWithin: drop + 2*beat,
		}
	})
}
