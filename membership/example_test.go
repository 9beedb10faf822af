package membership_test

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gotribes/tribes/membership"
)

// A member is immutable; With makes a changed copy. What does not fit is
// refused, with every problem.
func ExampleNew() {
	m, err := membership.New(membership.Attributes{
		Host: netip.MustParseAddr("10.0.0.1"), Port: 4000, SecurePort: membership.NoPort, UDPPort: membership.NoPort,
		Domain: "blue",
	})
	if err != nil {
		panic(err)
	}
	green, err := m.With(func(a *membership.Attributes) { a.Domain = "green" })
	fmt.Println(m.Domain(), green.Domain(), err)
	_, err = m.With(func(a *membership.Attributes) {
		a.Port, a.Payload = 65536, strings.Repeat("x", membership.MaxPart+1)
	})
	fmt.Println(err)
	// Output:
	// blue green <nil>
	// tribes: member: port 65536: want 0 to 65535
	// tribes: member: payload of 61441 bytes: want at most 61440
}

// A table turns what is heard, and what is not, into events.
func ExampleTable() {
	m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.0.0.1"), Port: 4000,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort})
	if err != nil {
		panic(err)
	}
	var t membership.Table
	now := time.Now()
	ev, changed, err := t.Heard(m, now)
	fmt.Println(ev.Kind, ev.Member.AddrPort(), changed, err, t.View().Len())
	for _, ev := range t.Expire(now.Add(3*time.Second+1), 3*time.Second) {
		fmt.Println(ev.Kind, ev.Member.AddrPort(), t.View().Len())
	}
	// Output:
	// joined 10.0.0.1:4000 true <nil> 1
	// failed 10.0.0.1:4000 0
}
