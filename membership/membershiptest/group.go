package membershiptest

import (
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
)

// Group is a set of nodes whose services can find each other, and nobody else.
// The suite makes one for each check.
type Group struct {
	// Node makes node i of the group. The suite uses the numbers 0 to MaxNodes-1.
	// Called again with a number after the first node of that number was stopped
	// or killed, it makes what the same machine is after a restart of its process:
	// a member on the same address with a new ID. Required. It may call the
	// methods of the testing.TB that the group was made with.
	Node func(i int) Node

	// Broken makes a node whose Start must fail, for instance because its port is
	// taken. Nil leaves the check out.
	Broken func() Node

	// FailWithin is the longest time from the Kill of a node until the others
	// report it as Failed; state what the implementation promises, with room for
	// a busy machine if time is real. Required if nodes have a Kill.
	FailWithin time.Duration

	// StartWithin is the longest time that Start may take; zero means 1 s. No
	// service waits for others in Start.
	StartWithin time.Duration

	// Patience is how long the suite waits for what must happen without a bound
	// of its own; zero means 15 s, or twice FailWithin if that is more.
	Patience time.Duration

	// NoGoodbye says that a stopped node cannot tell the others, who will
	// therefore see it as Failed within FailWithin.
	NoGoodbye bool

	// NoUpdate says that a changed description does not reach the others.
	NoUpdate bool

	// NoHiding says that the others find a node even if it does not announce
	// itself, for instance because they were told of it by a list.
	NoHiding bool
}

// MaxNodes is the number of nodes of a group that a check uses at most.
const MaxNodes = 5

// Node is one node of a [Group].
type Node struct {
	// Local is the member to start the service with. Its domain and payload
	// should not be empty, so that the suite sees whether they reach the others.
	Local *membership.Member

	// Service is not started yet. The suite starts it, unless a check is about
	// one that is not, and always stops it.
	Service membership.Service

	// Kill ends the running service as the crash of its process would: the others
	// get no goodbye and hear nothing from it any more. When it returns the
	// service must not notify. The suite calls Stop afterwards all the same. Nil
	// leaves the checks out that need it.
	Kill func()
}

const (
	defaultStartWithin = time.Second
	defaultPatience    = 15 * time.Second
)

// withDefaults returns a checked copy of g.
func (g *Group) withDefaults(t testing.TB) *Group {
	t.Helper()
	if g == nil || g.Node == nil {
		t.Fatal("membershiptest: a Group needs the function Node")
	}
	c := *g
	if c.StartWithin == 0 {
		c.StartWithin = defaultStartWithin
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	c.Patience = max(c.Patience, 2*c.FailWithin)
	return &c
}
