//go:build databases

package sqltest

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/proctest/servers"
)

// suite is the test that servers belong to which all tests share, since they take seconds to
// start: what goes wrong fails the test that runs, and they end after the last one.
type suite struct{ testing.TB }

func (suite) Cleanup(f func()) { cleanups = append([]func(){f}, cleanups...) }

// Failed keeps what a server has printed for the test that has failed.
func (suite) Failed() bool { return false }

var (
	shared  = new(suite)
	running = make(map[*servers.Engine]*servers.Server)
)

// server is a server for a test that runs alone, started if need be.
func server(t testing.TB, e *servers.Engine) *servers.Server {
	t.Helper()
	shared.TB = t
	if running[e] == nil {
		running[e] = servers.Start(shared, e)
	}
	s := running[e]
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s%s", &s.Out, &s.Err)
		}
	})
	return s
}

// within is a context for what must end soon.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
