package session

import "testing"

// What is written with the session of a request that is over is sent like what comes from
// outside of requests: it does not wait for the next request.
func TestWriteAfterRequest(t *testing.T) {
	inFarm(t, []string{"a", "b"}, nil, func(f *farm, n []*server) {
		c := newClient(t, n[0].Manager)
		var late *Session
		c.with(func(s *Session) { must(t, Set(s, "k", "in time")); late = s })
		must(t, Set(late, "k", "late"))
		if v, _ := n[1].own(c.id(), "k"); v != "late" {
			t.Errorf("b has %q", v)
		}
		late.Invalidate()
		if _, found := n[1].Lookup(c.id()); found {
			t.Error("b has what was ended")
		}
	})
}
