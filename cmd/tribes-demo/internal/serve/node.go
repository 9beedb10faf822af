package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/web"
)

// drainLimit bounds how long running requests may take at the end.
const drainLimit = 10 * time.Second

// servesLine is what a node writes to standard output when it serves; the
// cluster reads it.
const servesLine = "%s serves http://%s/\n"

// runNode serves until ctx ends.
func runNode(ctx context.Context, o *options, stdout io.Writer, log *slog.Logger) error {
	k, err := open(o, log)
	if err != nil {
		return err
	}
	return errors.Join(serveNode(ctx, o, k, stdout, log), k.Close())
}

func serveNode(ctx context.Context, o *options, k keeper, stdout io.Writer, log *slog.Logger) error {
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	var leaving atomic.Bool
	s := newServer(web.New(web.Config{Name: o.Name, Sessions: k, Log: log,
		Ready: func() bool { return !leaving.Load() && k.Ready() }}), log)

	run, end := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	running.Go(func() { // ends with Shutdown or Close below
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			end(err)
		}
	})
	// The port is open before the sessions are here: health checks see that the node is
	// not ready, and other requests get 503.
	running.Go(func() { // ends with run
		if err := k.Start(run); err != nil {
			end(err)
			return
		}
		log.Info("ready")
	})
	fmt.Fprintf(stdout, servesLine, o.Name, l.Addr())
	log.Info("serving", "addr", l.Addr().String(), "manager", o.manager, "store", k.Store(), "timeout", o.timeout, "pid", os.Getpid())
	<-run.Done()
	end(nil)
	if ctx.Err() == nil {
		err = context.Cause(run)
	}
	leaving.Store(true)
	if err == nil {
		log.Info("not ready any more: letting requests finish", "linger", o.linger, "limit", drainLimit)
		time.Sleep(o.linger)
	}
	err = errors.Join(err, shutdown(s, log, k.Drain))
	running.Wait()
	if err == nil {
		log.Info("stopped")
	}
	return err
}

func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// shutdown ends a server: running requests may finish, then comes what is to be
// done after the last one. Those that take too long are cut off.
func shutdown(s *http.Server, log *slog.Logger, then func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainLimit)
	defer cancel()
	if err := s.Shutdown(ctx); err != nil {
		log.Warn("requests were cut off", "err", err)
		if err := s.Close(); err != nil {
			return err
		}
	}
	return then(ctx)
}
