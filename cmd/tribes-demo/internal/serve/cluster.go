package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/balance"
)

// patience is how long nodes may take to be ready at the start.
const patience = 30 * time.Second

// runCluster runs nodes as processes, and a proxy in front of them, until ctx
// ends. args are the command line.
func runCluster(ctx context.Context, o *options, p plan, args []string, stdout, stderr io.Writer) error {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer l.Close() // again, if the server has closed it
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	out := &display{w: stdout}
	f := newFleet(p, o.commands(args), out, stderr)
	proxy := balance.New(balance.Config{Nodes: p, RoundRobin: !o.sticky, Control: f, Log: log})
	f.moved, f.draining = proxy.SetAddr, proxy.Drain

	watchCtx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { proxy.Run(watchCtx) }) // ends with cancel
	server := newServer(proxy, log)
	ended := make(chan error, 1)
	err = f.startAll()
	if err == nil {
		err = f.wait(ctx, patience, func() bool { return proxy.Up() == len(p) })
	}
	if errors.Is(err, errPatience) {
		err = fmt.Errorf("%w: %s", err, strings.Join(proxy.Down(), ", "))
	}
	if err == nil {
		go func() { ended <- server.Serve(l) }() // ends with shutdown below
		out.say("the cart is at http://%s/, the nodes to kill and start are at http://%s/_cluster", l.Addr(), l.Addr())
		select {
		case err = <-ended:
			ended <- http.ErrServerClosed
		case <-ctx.Done():
		}
		out.say("ending")
		err = errors.Join(err, shutdown(server, log, func(context.Context) error { return nil }))
		<-ended
	} else if ctx.Err() != nil {
		err = nil // interrupted before there was anything to see
	}
	cancel()
	watching.Wait()
	f.stopAll()
	proxy.Close()
	return err
}

// display writes lines with the time since the first one.
type display struct {
	mu    sync.Mutex
	w     io.Writer
	first time.Time
}

func (d *display) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.first.IsZero() {
		d.first = time.Now()
	}
	fmt.Fprintf(d.w, "%6.2fs  %s\n", time.Since(d.first).Seconds(), fmt.Sprintf(format, args...))
}
