package metrics

import (
	"strings"
	"testing"

	"github.com/gotribes/tribes/session"
)

func TestForgottenSessionsAreShown(t *testing.T) {
	var p Page
	p.Store(session.PersistStats{Forgotten: 7})
	if got := p.b.String(); !strings.Contains(got, "\ntribes_store_forgotten_total 7\n") {
		t.Errorf("page:\n%s", got)
	}
}
