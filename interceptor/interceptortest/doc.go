// Package interceptortest tests layers. [Run] is the suite that every
// channel.Interceptor passes; [Harness] binds layers between a bottom and a top
// that record what reaches them, for the tests of what a layer does by itself;
// [Pair] joins two such stacks as two members of a group.
//
//	    Send, Post      Top: Received, Events, Faults
//	        │                    ▲
//	   ┌────▼────────────────────┴────┐
//	   │  the layers under test       │  on a host of the harness:
//	   └────┬────────────────────▲────┘  Freeze stops its timers
//	        ▼                    │
//	Bottom: Sent, Hold, Use   Arrive, Event, Fault
//
// A harness works in virtual time too: make it inside the bubble of
// testing/synctest.
//
// # Caveats
//
// The bottom does to each message what a real stack may do: it changes the
// bytes after it has noted them. A layer that uses a message again after it has
// handed it down sends garbage here.
package interceptortest
