// Package group assembles a member of a group with good defaults: [New] with no
// options finds others by multicast, listens on the first free port from 4000,
// and stands in a group with Apache Tribes nodes that use the default stack.
//
//	g, err := group.New()
//	...
//	g.Listen(group.ListenerFunc(func(ctx context.Context, m *group.Message) error {
//		fmt.Printf("%s says %q\n", m.Source, m.Payload())
//		return nil
//	}))
//	err = g.Start(ctx)
//	...
//	_, err = g.SendAll(ctx, []byte("hello"), group.Sync)
//
// A [Group] is a channel.Channel with named topics and remote calls on top. The names that most
// programs need (Member, Message, Event, ...) are aliases here, so that one
// import is enough.
//
// # Stack
//
// From the application down: remote calls, static
// membership if asked for, then the layers of WithInterceptors. The default
// layers are Dispatch, DomainFilter if a domain is set, and TCPFailureDetector.
// All members of a group must have the same layers that change bytes (Gzip,
// Order) in the same order; nothing negotiates them.
//
// # Topics
//
// A message sent through a [Topic] carries its name, in a header of our own in
// front of the payload; on the other side only listeners of that topic see it.
// Messages sent by the group itself have no header, so Java nodes read them as
// they are.
//
// # Remote calls
//
// An [RPC] asks other members and waits for their answers:
//
//	greet, err := g.RPC("greet")
//	...
//	_, err = greet.Handle(func(ctx context.Context, req *group.Request) ([]byte, error) {
//		return append([]byte("hello "), req.Bytes...), nil
//	}, group.HandlerConfig{})
//	...
//	answers, err := greet.CallAll(ctx, []byte("you"), group.AllReplies)
//
// It is Tribes' RpcChannel: the name is the bytes of its rpcId, and Java nodes may
// call or be called. [TypedRPC] has values in place of bytes.
//
//	request ──► reader ──► queue ──► handler ──► reply        the member that serves
//	Call ──► send ──► wait ◄── replies, departures, failed sends, ctx, stop
//
// # Caveats
//
// Whoever reaches the ports of a member can join its group and read and send
// everything: the wire of Tribes has no authentication. [WithTLS] protects the
// messages, among members that all have it; interceptor.Encrypt does so with one key
// for all, also with Java nodes. Neither protects multicast membership. Keep the ports
// inside a trusted network.
package group
