// Command chat is a chat room without a server: every line that is typed goes to all who
// are in the room, and who comes and goes is told. Start it several times:
//
//	go run ./examples/chat -name ann
//
// Lines of one person come in the order in which they were typed. Who did not get a line
// is named.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"

	"github.com/gotribes/tribes/group"
)

func main() {
	name := flag.String("name", os.Getenv("USER"), "what the others see")
	flag.Parse()
	if *name == "" {
		log.Fatal("chat: -name is empty: who are you?")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *name, os.Stdin, os.Stdout, group.WithBind("127.0.0.1")); err != nil {
		log.Fatal(err)
	}
}

// run chats until in or ctx ends.
func run(ctx context.Context, name string, in io.Reader, out io.Writer, options ...group.Option) error {
	g, err := group.New(append(options, group.WithPayload([]byte(name)))...)
	if err != nil {
		return err
	}
	room, err := g.Topic("chat")
	if err != nil {
		return err
	}
	s := &screen{out: out}
	room.Listen(func(_ context.Context, m *group.Message) error {
		return s.print("%s: %s", m.Source.Payload(), m.Payload())
	})
	g.Watch(group.MembershipListenerFunc(func(_ context.Context, ev group.Event) {
		s.print("(%s has %s)", ev.Member.Payload(), ev.Kind)
	}))
	if err := g.Start(ctx); err != nil {
		return err
	}
	defer g.Stop(context.Background())
	typed := make(chan string)
	go read(ctx, in, typed) // which a terminal lets end with the program alone
	for {
		select {
		case line, ok := <-typed:
			if !ok {
				return nil
			}
			if err := say(ctx, room, line, s); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// read gives the lines of in to typed.
func read(ctx context.Context, in io.Reader, typed chan<- string) {
	defer close(typed)
	for sc := bufio.NewScanner(in); sc.Scan(); {
		select {
		case typed <- sc.Text():
		case <-ctx.Done():
			return
		}
	}
}

// say sends a line to everybody and names those that did not get it.
func say(ctx context.Context, room *group.Topic, line string, s *screen) error {
	_, err := room.SendAll(ctx, []byte(line), group.UseAck)
	var failed *group.SendError
	switch {
	case errors.Is(err, group.ErrNoMembers):
		return s.print("(nobody is here)")
	case errors.As(err, &failed):
		for _, r := range failed.Results {
			if r.Err != nil {
				s.print("(%s did not get that: %v)", r.Member.Payload(), r.Outcome)
			}
		}
		return nil
	}
	return err
}

// screen prints whole lines, whoever they come from.
type screen struct {
	mu  sync.Mutex
	out io.Writer
}

func (s *screen) print(format string, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return err
}
