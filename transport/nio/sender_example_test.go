package nio_test

import (
	"fmt"
	"time"

	"github.com/gotribes/tribes/transport/nio"
)

// The zero configuration is what most groups want. This one waits longer for
// answers, writes twice more after a broken connection, renews each connection
// after ten thousand messages and closes it after a minute without any.
func ExampleNewSender() {
	s, err := nio.NewSender(nio.SenderConfig{
		Timeouts: nio.SenderTimeouts{Ack: 15 * time.Second},
		Retries:  2,
		Pool:     nio.SenderPool{MaxUses: 10_000, IdleClose: time.Minute},
	})
	fmt.Println(s != nil, err)
	// Output: true <nil>
}

// A window of one is how Tribes itself sends: each connection carries one acked
// message at a time, and there are several connections to each member.
func ExampleNewSender_stopAndWait() {
	s, err := nio.NewSender(nio.SenderConfig{
		Window: 1,
		Pool:   nio.SenderPool{Size: 10},
	})
	fmt.Println(s != nil, err)
	// Output: true <nil>
}

// What is wrong is reported at once and all together.
func ExampleNewSender_mistakes() {
	_, err := nio.NewSender(nio.SenderConfig{
		MaxFrame: 100,
		Socket:   nio.SocketOptions{TrafficClass: 300},
	})
	fmt.Println(err)
	// Output:
	// tribes: nio sender config: MaxFrame 100: want 1024 to 1073741824
	// tribes: nio sender config: Socket.TrafficClass 300: want 0 to 255
}

// Two connections to each member of this module carry large messages; their
// order is lost. Connections are made before there is a message for them.
func ExampleNewSender_largeMessages() {
	s, err := nio.NewSender(nio.SenderConfig{
		Pool:       nio.SenderPool{Links: 2, Preconnect: true},
		QueueBytes: 256 << 20,
	})
	fmt.Println(s != nil, err)
	// Output: true <nil>
}

// WithDefaults shows what a configuration means.
func ExampleReceiverConfig_WithDefaults() {
	c, err := nio.ReceiverConfig{Port: 4010, PortTries: 5}.WithDefaults()
	fmt.Println(c.Address, c.Port, c.PortTries, c.MaxFrame, c.Limits.FirstFrameTimeout, err)
	// Output: auto 4010 5 67108864 10s <nil>
}
