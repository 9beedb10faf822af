// Command election has a job that one member of a group does at a time: whoever
// coordinates. Start it several times, and kill the one that works.
package main

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/interceptor"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, group.WithBind("127.0.0.1")); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, options ...group.Option) error {
	out := log.New(w, "", 0)
	election := new(interceptor.NonBlockingCoordinator)
	g, err := group.New(append(options, group.WithInterceptors(
		new(interceptor.Dispatch), election, new(interceptor.TCPFailureDetector)))...)
	if err != nil {
		return err
	}
	if err := g.Start(ctx); err != nil {
		return err
	}
	var telling sync.WaitGroup
	defer telling.Wait()
	defer g.Stop(context.Background()) // which ends Changes too
	telling.Go(func() {
		for now := range election.Changes(ctx) {
			out.Printf("%d members, coordinator %v, term %d", len(now.Members), now.Coordinator, now.Term)
		}
	})
	for ctx.Err() == nil {
		err := election.Lead(ctx, func(ctx context.Context, term uint64) error { return work(ctx, out, term) })
		if errors.Is(err, interceptor.ErrNotCoordinator) {
			out.Print("stopped working: another member coordinates")
			continue
		}
		if errors.Is(err, channel.ErrClosed) || ctx.Err() != nil {
			return nil
		}
		return err
	}
	return nil
}

// work does the job until ctx ends. What must never be done by two, not even while
// the network is split, is given the term, so that whoever keeps the result can
// refuse one that is lower than the highest it has seen.
func work(ctx context.Context, out *log.Logger, term uint64) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			out.Printf("working, term %d", term)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
