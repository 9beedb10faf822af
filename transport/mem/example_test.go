package mem_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// Board is the application that is tested here: a text that everybody in the
// group has.
type Board struct {
	c  *channel.Channel
	mu sync.Mutex
	s  string
}

// NewBoard runs a board on a channel with the given configuration.
func NewBoard(ctx context.Context, cfg channel.Config) (*Board, error) {
	c, err := channel.New(cfg)
	if err != nil {
		return nil, err
	}
	b := &Board{c: c}
	c.Listen(channel.ListenerFunc(b.receive))
	return b, c.Start(ctx)
}

func (b *Board) receive(_ context.Context, m *message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.s = string(m.Payload())
	return nil
}

// Text returns what is on the board.
func (b *Board) Text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.s
}

// Write puts s on all boards. Alone it is content with its own.
func (b *Board) Write(ctx context.Context, s string) error {
	b.mu.Lock()
	b.s = s
	b.mu.Unlock()
	_, err := b.c.SendAll(ctx, []byte(s), message.Sync)
	if errors.Is(err, channel.ErrNoMembers) {
		return nil
	}
	return err
}

// A user's test of Board: what happens to a write during a partition, in a
// bubble of virtual time. It takes some milliseconds.
func TestBoardDuringPartition(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		net := mem.NewNetwork(mem.Config{})
		t.Logf("seed %d", net.Seed()) // with it the run can be repeated
		ctx := t.Context()

		var boards [2]*Board
		for i, host := range []string{"left", "right"} {
			b, err := NewBoard(ctx, net.Node(host).Config())
			if err != nil {
				t.Fatal(err)
			}
			defer b.c.Stop(context.Background())
			boards[i] = b
		}
		left, right := boards[0], boards[1]
		if err := left.c.WaitMembers(ctx, 1); err != nil {
			t.Fatal(err)
		}

		if err := left.Write(ctx, "hello"); err != nil || right.Text() != "hello" {
			t.Errorf("Write = %v, the other board shows %q", err, right.Text())
		}

		net.Partition([]string{"left"}, []string{"right"})
		if err := left.Write(ctx, "lost"); !errors.Is(err, message.ErrTimeout) {
			t.Errorf("Write during a partition = %v, want a timeout", err)
		}
		time.Sleep(3 * time.Second) // both find out that they are alone
		if err := left.Write(ctx, "alone"); err != nil || right.Text() != "hello" {
			t.Errorf("Write alone = %v, the other board shows %q", err, right.Text())
		}

		net.Heal()
		if err := left.c.WaitMembers(ctx, 1); err != nil {
			t.Fatal(err)
		}
		if err := left.Write(ctx, "together"); err != nil || right.Text() != "together" {
			t.Errorf("Write after the heal = %v, the other board shows %q", err, right.Text())
		}
	})
}

// The same without virtual time. TestBoardDuringPartition in this file shows how
// to have it.
func Example() {
	net := mem.NewNetwork(mem.Config{Timeout: 500 * time.Millisecond})
	ctx := context.Background()
	left, err := NewBoard(ctx, net.Node("left").Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer left.c.Stop(ctx)
	right, err := NewBoard(ctx, net.Node("right").Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer right.c.Stop(ctx)
	left.c.WaitMembers(ctx, 1)

	err = left.Write(ctx, "hello")
	fmt.Printf("%v, the other board shows %q\n", err, right.Text())

	net.Partition([]string{"left"}, []string{"right"})
	err = left.Write(ctx, "lost")
	fmt.Printf("timed out: %v, the other board shows %q\n", errors.Is(err, message.ErrTimeout), right.Text())

	net.Heal()
	err = left.Write(ctx, "together")
	fmt.Printf("%v, the other board shows %q\n", err, right.Text())
	// Output:
	// <nil>, the other board shows "hello"
	// timed out: true, the other board shows "hello"
	// <nil>, the other board shows "together"
}
