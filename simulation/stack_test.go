package simulation

import (
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/transport/mem"
)

// layers are those of one member, so that a test can ask them what they did.
type layers struct {
	stack   []channel.Interceptor
	order   *interceptor.Order   // nil if there is none
	encrypt *interceptor.Encrypt // likewise
	agrees  bool                 // members agree on views
}

// stack is a stack that users run, and what it is made for.
type stack struct {
	name string
	make func() layers
	// rough says that messages may be repeated and overtaken on the network, as by Java
	// members, and that they still come once and in order.
	rough bool
	// loose says that messages may come in another order.
	loose bool
	// split says that messages go in parts, some of which a process may get that has
	// replaced the one that got the others, be it after a crash or an orderly stop.
	split bool
	// waits says that a message waits in a process for another, without which it is
	// dropped: an orderly stop may take it, too.
	waits bool
}

var key = mustKey("000102030405060708090a0b0c0d0e0f")

func mustKey(hex string) interceptor.Key {
	k, err := interceptor.ParseKey(hex)
	if err != nil {
		panic(err)
	}
	return k
}

var stacks = []stack{
	{name: "default", make: func() layers {
		return layers{stack: []channel.Interceptor{new(interceptor.Dispatch), new(interceptor.TCPFailureDetector)}}
	}},
	{name: "gzip", make: func() layers {
		return layers{stack: []channel.Interceptor{
			&interceptor.Dispatch{MaxBytes: 50_000}, new(interceptor.Throughput), &interceptor.Gzip{MinSize: 100}, new(interceptor.TCPFailureDetector),
		}}
	}},
	{name: "order", rough: true, make: func() layers { return ordered(&interceptor.Order{}) }},
	{name: "order or nothing", rough: true, make: func() layers {
		return ordered(&interceptor.Order{DropExpired: true, Expire: 2 * time.Second})
	}},
	{name: "order, gzip, fragmentation, encrypt", rough: true, split: true, make: func() layers {
		o, e := new(interceptor.Order), &interceptor.Encrypt{Key: key}
		return layers{order: o, encrypt: e, stack: []channel.Interceptor{
			new(interceptor.Dispatch), o, new(interceptor.Gzip), &interceptor.Fragmentation{MaxSize: 200, MinSize: 100}, e, new(interceptor.TCPFailureDetector),
		}}
	}},
	{name: "fragmentation, encrypt", split: true, make: func() layers {
		e := &interceptor.Encrypt{Key: key, Cipher: interceptor.AESCBC}
		return layers{encrypt: e, stack: []channel.Interceptor{
			new(interceptor.Dispatch), new(interceptor.Compress), &interceptor.Fragmentation{MaxSize: 200, MinSize: 100}, e, new(interceptor.TCPFailureDetector),
		}}
	}},
	{name: "two-phase commit", loose: true, waits: true, make: func() layers {
		return layers{stack: []channel.Interceptor{
			new(interceptor.Dispatch), new(interceptor.TwoPhaseCommit), new(interceptor.TCPFailureDetector),
		}}
	}},
	{name: "coordinator, encrypt", make: func() layers {
		e := &interceptor.Encrypt{Key: key}
		return layers{agrees: true, encrypt: e, stack: []channel.Interceptor{
			new(interceptor.Dispatch), new(interceptor.NonBlockingCoordinator), e, new(interceptor.TCPFailureDetector),
		}}
	}},
	{name: "domain", make: func() layers {
		return layers{stack: []channel.Interceptor{
			new(interceptor.Dispatch), &interceptor.DomainFilter{Domain: "d"}, &interceptor.TCPFailureDetector{ReadTest: interceptor.ReadAlways},
		}}
	}},
}

func ordered(o *interceptor.Order) layers {
	return layers{order: o, stack: []channel.Interceptor{
		new(interceptor.Dispatch), new(interceptor.Gzip), o, new(interceptor.TCPFailureDetector),
	}}
}

// link returns how the network behaves for a while.
func (w *world) link() mem.Link {
	l := mem.Link{Delay: time.Duration(w.rnd.IntN(50)) * time.Millisecond, Jitter: time.Duration(w.rnd.IntN(50)) * time.Millisecond}
	if w.rnd.IntN(2) == 0 {
		l.Loss = w.rnd.Float64() / 4
	}
	if w.stack.rough && w.rnd.IntN(2) == 0 {
		l.Duplicate, l.Reorder = w.rnd.Float64()*0.2, w.rnd.Float64()*0.2
	}
	return l
}
