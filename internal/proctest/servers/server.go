package servers

import (
	"context"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// Server is one of a test, on a port of the loopback interface. It is gone when the test ends.
type Server struct {
	// Process is the one that runs now, or ran last.
	*proctest.Process
	// Addr is HOST:PORT.
	Addr string
	// Port is the port alone.
	Port string
	// Dir is where its files are.
	Dir string
	// URL is how clients come to it, as in the flag -store of tribes-demo web.
	URL string

	t      testing.TB
	engine *Engine
	plan   *Plan
}

// Start starts a server with more arguments and returns when it answers. It keeps what it
// promises when it is killed, not when the machine is.
func Start(t testing.TB, e *Engine, more ...string) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "tribes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	port := proctest.Ports(t, 1)[0]
	plan, err := e.Plan(Config{Host: "127.0.0.1", Port: port, Dir: dir, Leash: true,
		More: append(e.careless[:len(e.careless):len(e.careless)], more...)})
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range plan.Init {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	s := &Server{t: t, engine: e, plan: plan, Dir: dir, Addr: net.JoinHostPort("127.0.0.1", port), Port: port, URL: plan.URL}
	s.Start()
	return s
}

// Start starts it again, after a kill or its end, with all that it has kept.
func (s *Server) Start() {
	s.t.Helper()
	s.Process = proctest.Start(s.t, nil, s.plan.Run...)
	s.Quit = s.engine.discard
	proctest.Until(s.t, s.engine.Name+" answers", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return s.plan.Ready(ctx) == nil
	}, s.Process)
}

// End asks the server to end, whoever is connected, and waits until it has.
func (s *Server) End() {
	s.t.Helper()
	s.Signal(s.engine.end)
	s.Ended()
}
