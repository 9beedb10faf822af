package servers

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest"
)

// said is a server that says something to the first who comes, and then nothing more.
func said(t *testing.T, text string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.WriteString(c, text)
			_, _ = io.Copy(io.Discard, c) // until the client has gone
			err = errors.Join(err, c.Close())
		}
		done <- err
	}()
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestAnswers(t *testing.T) {
	ask := func(addr string, d time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return answers(addr, "PING\r\n", "+PONG\r\n")(ctx)
	}
	if err := ask(said(t, "+PONG\r\n"), proctest.Watchdog); err != nil {
		t.Error(err)
	}
	if err := ask(said(t, "-LOADING the data\r\n"), proctest.Watchdog); err == nil {
		t.Error("it is still loading")
	}
	if err := ask(said(t, "+PO"), 50*time.Millisecond); err == nil {
		t.Error("half an answer")
	}
	if err := ask("127.0.0.1:"+proctest.Ports(t, 1)[0], proctest.Watchdog); err == nil {
		t.Error("nobody is there")
	}
}

func TestMissing(t *testing.T) {
	none := &Engine{Name: "None", programs: []string{"sh", "no-such-program"}}
	if err := none.Missing(); err == nil {
		t.Error("nothing is missing")
	}
	if _, err := none.Plan(Config{Dir: t.TempDir()}); err == nil {
		t.Error("a plan without a program")
	}
	if err := (&Engine{programs: []string{"sh"}}).Missing(); err != nil {
		t.Error(err)
	}
}
