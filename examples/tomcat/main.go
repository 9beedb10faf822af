// Command tomcat talks to Java programs, such as a web application in Tomcat,
// that have a channel of Apache Tribes:
//
//	GroupChannel c = new GroupChannel();          // 228.0.0.4:45564, as here
//	c.addChannelListener(listener);               // accepts org.apache.catalina.tribes.ByteMessage
//	c.start(Channel.DEFAULT);
//	c.send(c.getMembers(), new ByteMessage("hello from Java".getBytes(UTF_8)),
//	       Channel.SEND_OPTIONS_SYNCHRONIZED_ACK | Channel.SEND_OPTIONS_USE_ACK);
//
// Use a group of its own, by another port on both sides (-group), beside that of
// a <Cluster> in server.xml: the session managers of Tomcat ask whoever is in
// their group for sessions, and wait for an answer that this program has not got.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership/mcast"
	"github.com/gotribes/tribes/message"
)

func main() {
	bind := flag.String("bind", "127.0.0.1", "`address` of the network that the Java nodes are on")
	port := flag.Int("group", mcast.DefaultPort, "multicast `port` of the group")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Stdout, group.WithBind(*bind), group.WithMulticast(mcast.Config{Port: *port}))
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer, options ...group.Option) error {
	g, err := group.New(options...)
	if err != nil {
		return err
	}
	g.Listen(group.ListenerFunc(func(_ context.Context, m *group.Message) error {
		if !m.Options.Has(message.ByteMessage) { // a serialized Java object
			fmt.Fprintf(out, "%s sent an object of %d bytes\n", m.Source.AddrPort(), m.Len())
			return nil
		}
		fmt.Fprintf(out, "%s says %q\n", m.Source.AddrPort(), m.Payload())
		return nil
	}))
	joined := make(chan *group.Member, 100)
	g.Watch(group.MembershipListenerFunc(func(_ context.Context, ev group.Event) {
		fmt.Fprintln(out, ev.Kind, ev.Member.AddrPort())
		if ev.Kind == group.Joined {
			joined <- ev.Member
		}
	}))
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())
	for {
		select {
		case m := <-joined: // Java reads it as a ByteMessage
			if _, err := g.Send(ctx, []*group.Member{m}, []byte("hello from Go"), group.Sync); err != nil {
				fmt.Fprintln(out, err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}
