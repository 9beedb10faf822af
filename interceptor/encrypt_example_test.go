package interceptor_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// start starts a member on a network in memory that prints what it is sent.
func start(network *mem.Network, name string, layers ...channel.Interceptor) *channel.Channel {
	cfg := network.Node(name).Config()
	cfg.Interceptors = layers
	c, err := channel.New(cfg)
	check(err)
	c.Listen(channel.ListenerFunc(func(_ context.Context, m *message.Message) error {
		fmt.Printf("%s has got %.20q\n", name, m.Payload())
		return nil
	}))
	check(c.Start(context.Background()))
	return c
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Two members have a key, which they change while they talk; a third one has none.
func ExampleEncrypt() {
	newKey := func() interceptor.Key {
		b := make([]byte, 32)
		rand.Read(b) // never fails; a real key comes from a secret that all members are given, by ParseKey
		k, err := interceptor.NewKey(b)
		check(err)
		return k
	}
	old, next := newKey(), newKey()
	network := mem.NewNetwork(mem.Config{})
	first, second := &interceptor.Encrypt{Key: old}, &interceptor.Encrypt{Key: old}
	a := start(network, "a", first, new(interceptor.TCPFailureDetector))
	b := start(network, "b", second, new(interceptor.TCPFailureDetector))
	c := start(network, "c", new(interceptor.TCPFailureDetector))
	ctx := context.Background()
	check(a.WaitMembers(ctx, 2))
	check(c.WaitMembers(ctx, 2))

	to := a.View().Find(b.Local().Key())
	send := func(text string) {
		_, err := a.Send(ctx, []*membership.Member{to}, []byte(text), message.Sync)
		check(err)
	}
	send("secret")
	for _, e := range []*interceptor.Encrypt{first, second} {
		check(e.SetKeys(old, next)) // 1. all know both
	}
	for _, e := range []*interceptor.Encrypt{first, second} {
		check(e.SetKeys(next, old)) // 2. all send with the new one
	}
	send("secret, too")

	_, err := c.SendAll(ctx, []byte("clear text"), message.Sync)
	var remote *message.RemoteError
	fmt.Println("c is refused:", errors.As(err, &remote))
	for _, m := range []*channel.Channel{a, b, c} {
		check(m.Stop(ctx))
	}
	// Output:
	// b has got "secret"
	// b has got "secret, too"
	// c is refused: true
}

// One of two members has the layer, and is sent less as soon as it has answered.
func ExampleCompress() {
	network := mem.NewNetwork(mem.Config{})
	compress := &interceptor.Compress{Codec: interceptor.S2}
	a := start(network, "a", compress)
	b := start(network, "b", new(interceptor.Compress))
	c := start(network, "c")
	ctx := context.Background()
	check(a.WaitMembers(ctx, 2))
	for _, m := range []*channel.Channel{b, c} {
		for range 2 {
			_, err := a.Send(ctx, []*membership.Member{a.View().Find(m.Local().Key())}, []byte(strings.Repeat("text ", 1000)), message.Sync)
			check(err)
		}
		s := compress.Stats().Sent
		fmt.Printf("%d messages were compressed, %d were not\n", s.Compressed, s.Plain)
	}
	for _, m := range []*channel.Channel{a, b, c} {
		check(m.Stop(ctx))
	}
	// Output:
	// b has got "text text text text "
	// b has got "text text text text "
	// 1 messages were compressed, 1 were not
	// c has got "text text text text "
	// c has got "text text text text "
	// 1 messages were compressed, 3 were not
}
