package session

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/internal/persist"
	"github.com/gotribes/tribes/session/sessiontest"
)

// Only so many sessions that have ended are remembered while the store cannot delete them.
// What is not remembered is counted, in the log once in an outage, and not acknowledged, also
// with ServeFromMemory: it would come back.
func TestPersistOwedIsBounded(t *testing.T) {
	inOffice(t, eachRequest, func(o *office) {
		a := o.node()
		var log bytes.Buffer
		c := a.keeperConfig()
		c.Owed, c.Logger = 2, slog.New(slog.NewTextHandler(&log, nil))
		a.keeper = persist.New(a.keeper.Inner, c)
		a.b = a.keeper
		var clients []*client
		for range 6 {
			clients = append(clients, newClient(t, a))
			clients[len(clients)-1].with(func(s *Session) { must(t, Set(s, "k", "v")) })
		}
		for range 2 {
			o.store.Inject(breaking("Delete"))
			for i, c := range clients[:3] {
				want := http.StatusOK
				if i == 2 {
					want = http.StatusServiceUnavailable
				}
				if res := c.with(func(s *Session) { s.Invalidate() }); res.StatusCode != want {
					t.Errorf("logout %d has status %d, want %d", i, res.StatusCode, want)
				}
			}
			clients = clients[3:]
			o.store.Inject(sessiontest.Faults{})
			time.Sleep(time.Minute)
		}
		if s := a.PersistStats(); s.Forgotten != 2 || s.Deletes != 4 || len(o.store.Sessions()) != 2 {
			t.Errorf("%d rows, %+v", len(o.store.Sessions()), s)
		}
		if n := strings.Count(log.String(), "level=ERROR msg=\"more sessions"); n != 2 {
			t.Errorf("told %d times, want once in each outage:\n%s", n, &log)
		}
	})
}
