package drivers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/bench/harness"
	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/nio"
)

const loopback = "127.0.0.1"

// Tribes measures this module. Options:
//
//	poller=auto|runtime|epoll  how the receiver reads sockets
//	membership=mcast|static    how members find each other
//	window=N                   acked messages on their way per connection
//	busypoll=TIME              how long to poll for bytes before sleeping
//	pool=N                     connections to a member without numbered acks
//	stack=dispatch,tfd,...     layers; + in place of the commas
type Tribes struct{}

// Name implements harness.Driver.
func (Tribes) Name() string { return "tribes" }

// Open implements harness.Driver.
func (Tribes) Open(ctx context.Context, c harness.MemberConfig) (harness.Node, error) {
	options, err := tribesOptions(c)
	if err != nil {
		return nil, err
	}
	g, err := group.New(options...)
	if err != nil {
		return nil, err
	}
	n := &tribesNode{g: g, c: c}
	g.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		c.Received(m.Payload())
		return nil
	}))
	g.Watch(channel.MembershipListenerFunc(func(_ context.Context, ev membership.Event) {
		if ev.Kind != membership.Updated {
			c.View(n.Others())
		}
	}))
	return n, g.Start(ctx)
}

func tribesOptions(c harness.MemberConfig) ([]group.Option, error) {
	rx := nio.ReceiverConfig{Address: loopback, Port: c.Base + c.ID, PortTries: 1}
	var tx nio.SenderConfig
	layers := "dispatch+tfd"
	members := "mcast"
	for k, v := range c.Opts {
		var err error
		switch k {
		case "poller":
			rx.Poller, err = nio.ParsePoller(v)
		case "window":
			tx.Window, err = strconv.Atoi(v)
		case "pool":
			tx.Pool.Size, err = strconv.Atoi(v)
		case "busypoll":
			var d time.Duration
			d, err = time.ParseDuration(v)
			rx.Socket.BusyPoll, tx.Socket.BusyPoll = d, d
		case "stack":
			layers = v
		case "membership":
			members = v
		default:
			err = errors.New("unknown")
		}
		if err != nil {
			return nil, fmt.Errorf("option %s=%s: %w", k, v, err)
		}
	}
	options := []group.Option{group.WithBind(loopback), group.WithReceiver(rx), group.WithSender(tx)}
	stack, err := stackOf(layers)
	if err != nil {
		return nil, err
	}
	options = append(options, group.WithInterceptors(stack...))
	switch members {
	case "mcast":
		return append(options, group.WithMulticast(mcast.Config{Port: c.Base})), nil
	case "static":
		return append(options, group.WithStatic(staticList(c))), nil
	}
	return nil, fmt.Errorf("option membership=%s: want mcast or static", members)
}

func staticList(c harness.MemberConfig) static.Config {
	var list static.Config
	for i := range c.N {
		if i != c.ID {
			list.Members = append(list.Members, static.Peer{Addr: net.JoinHostPort(loopback, strconv.Itoa(c.Base+i))})
		}
	}
	return list
}

func stackOf(words string) ([]channel.Interceptor, error) {
	var stack []channel.Interceptor
	for word := range strings.SplitSeq(words, "+") {
		switch word {
		case "", "none":
		case "dispatch":
			stack = append(stack, new(interceptor.Dispatch))
		case "tfd":
			stack = append(stack, new(interceptor.TCPFailureDetector))
		case "gzip":
			stack = append(stack, new(interceptor.Gzip))
		case "order":
			stack = append(stack, new(interceptor.Order))
		default:
			return nil, fmt.Errorf("option stack: unknown layer %q", word)
		}
	}
	return stack, nil
}

type tribesNode struct {
	g *group.Group
	c harness.MemberConfig
}

// Others implements harness.Node.
func (n *tribesNode) Others() int { return n.g.View().Len() }

// Close implements harness.Node.
func (n *tribesNode) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return n.g.Stop(ctx)
}

// Sender implements harness.Node.
func (n *tribesNode) Sender(kind harness.Kind, ids []int, completed func()) (func([]byte) error, error) {
	to, err := n.members(ids)
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	send := func(o message.Options) func([]byte) error {
		return func(p []byte) error {
			_, err := n.g.Send(ctx, to, p, o)
			return err
		}
	}
	post := func(o message.Options, done func(message.ID, error)) func([]byte) error {
		return func(p []byte) error {
			_, err := n.g.Post(ctx, to, p, o, done)
			return err
		}
	}
	switch kind {
	case harness.NoAck:
		return post(0, nil), nil
	case harness.UseAck:
		return send(message.UseAck), nil
	case harness.Sync:
		return send(message.Sync), nil
	case harness.Async:
		return post(message.Async, nil), nil
	case harness.AsyncAck:
		return post(message.Async|message.Sync, func(_ message.ID, err error) {
			if err == nil {
				completed()
			}
		}), nil
	}
	return nil, harness.ErrKind(kind)
}

// members finds the members with those ids by their ports.
func (n *tribesNode) members(ids []int) ([]*membership.Member, error) {
	var to []*membership.Member
	for _, id := range ids {
		addr := netip.AddrPortFrom(netip.MustParseAddr(loopback), uint16(n.c.Base+id))
		found := n.g.View().At(addr)
		if len(found) == 0 {
			return nil, fmt.Errorf("member %d is not in the view", id)
		}
		to = append(to, found[0])
	}
	return to, nil
}
