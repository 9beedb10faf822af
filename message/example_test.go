package message_test

import (
	"fmt"
	"net/netip"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Options are written as in the configuration of Tribes.
func ExampleParseOptions() {
	for _, s := range []string{"sync, use_ack", "6", "async|0x100", "fast"} {
		o, err := message.ParseOptions(s)
		fmt.Println(o, err)
	}
	// Output:
	// use_ack|sync <nil>
	// use_ack|sync <nil>
	// async|0x100 <nil>
	// 0 tribes: message options "fast": "fast" is neither a known word nor a number of 32 bits
}

// A receipt waits for the outcome at each destination.
func ExampleReceipt() {
	to := make([]*membership.Member, 2)
	for i := range to {
		m, err := membership.New(membership.Attributes{Host: netip.MustParseAddr("10.0.0.1"), Port: 4000 + i, SecurePort: membership.NoPort, UDPPort: membership.NoPort})
		if err != nil {
			panic(err)
		}
		to[i] = m
	}
	r := message.NewReceipt(len(to), nil)
	r.Settle(to[1], message.Refused, &message.RemoteError{Reason: "no room"})
	r.Settle(to[0], message.Acknowledged, nil)
	<-r.Done()
	for _, res := range r.Results(to, nil) {
		fmt.Println(res.Member.AddrPort(), res.Outcome, res.Err)
	}
	// Output:
	// 10.0.0.1:4000 acknowledged <nil>
	// 10.0.0.1:4001 refused tribes: the listener at the destination failed: "no room"
}

// Scan finds frames in a stream of bytes, as they come.
func ExampleScan() {
	stream := []byte(message.AckFrame + message.FailAckFrame[:10])
	for {
		data, size, err := message.Scan(stream, 0)
		if err != nil || data == nil {
			fmt.Println(len(stream), "bytes are left, and more are needed:", err)
			return
		}
		var r message.Reply
		err = message.ParseReply(data, &r)
		fmt.Println(&r, err)
		stream = stream[size:]
	}
	// Output:
	// ack <nil>
	// 10 bytes are left, and more are needed: <nil>
}
