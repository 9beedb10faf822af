package simulation

import (
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/transport/mem"
)

// layers are those of one member, so that a test can ask them what they did.
type layers struct {
	stack []channel.Interceptor
	order *interceptor.Order // nil if there is none
}

// stack is a stack that users run, and what it is made for.
type stack struct {
	name string
	make func() layers
	// rough says that messages may be repeated and overtaken on the network, as by Java
	// members, and that they still come once and in order.
	rough bool
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
