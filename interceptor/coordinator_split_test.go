package interceptor

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/transport/mem"
)

// What is not promised: among members that do not all reach each other there need
// be no view of those that do. Whoever lacks one knows and says so, the last view
// stays, and little is sent; when all reach each other again there is one view.
func TestMembersThatDoNotAllReachEachOther(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	for _, cut := range [][2][]string{
		{{"a"}, {"b"}}, {{"a"}, {"c"}}, {{"b"}, {"c"}}, {{"a"}, {"c", "d"}}, {{"a", "b"}, {"d"}},
	} {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
				e.startAll(names...)
				e.agree(patient, names...)
				e.nw.Partition(cut[0], cut[1])
				time.Sleep(dropTime + patient)
				before := make(map[string]CoordinatorStats)
				for _, name := range names {
					before[name] = e.on[name].co.Stats()
				}
				const long = 2 * time.Minute
				time.Sleep(long)
				stalled := uint64(0)
				for _, name := range names {
					now, was := e.on[name].co.Stats(), before[name]
					if sent := now.Sent + now.Unsent - was.Sent - was.Unsent; sent > uint64(5*long/time.Second) {
						t.Errorf("%s has sent %d tokens in %v, want 5 in a second at most", name, sent, long)
					}
					if changes := now.Changes - was.Changes; changes > uint64(long/(5*time.Second)) {
						t.Errorf("%s had %d other coordinators in %v", name, changes, long)
					}
					if views := now.Views - was.Views; views > uint64(long/(5*time.Second)) {
						t.Errorf("%s has installed %d views in %v", name, views, long)
					}
					stalled += now.Stalled
				}
				if stalled == 0 {
					t.Error("nobody has told that the election does not end")
				}
				e.nw.Heal()
				e.agree(convergence, names...)
				e.judge()
			})
		})
	}
}

// A coordinator that the others could not hear for a while, and which has noticed
// nothing of it itself, believes meanwhile that it coordinates, with a term of the
// past. When they hear it again it gets a term above that of the one between.
func TestCoordinatorThatHasNoticedNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e := newElectors(t, mem.Config{Seed: 1, Link: mem.Link{Delay: time.Millisecond}})
		e.startAll("a", "b", "c")
		e.agree(patient, "a", "b", "c")
		old := e.on["a"].co.Leadership()
		e.nw.Cut("a", "b")
		e.nw.Cut("a", "c")
		e.agree(dropTime+patient, "b", "c")
		if got := e.on["a"].co.Leadership(); !got.Local {
			t.Errorf("a says %+v, want it to believe that it coordinates", got)
		}
		between := e.on["b"].co.Leadership().Term
		if between <= old.Term {
			t.Errorf("b coordinates with the term %d, want one above %d", between, old.Term)
		}
		e.nw.Heal()
		took := e.agree(patient, "a", "b", "c")
		e.expectLeader("a", "a", "b", "c")
		if got := e.on["a"].co.Leadership().Term; got <= between {
			t.Errorf("a coordinates again with the term %d, want one above %d", got, between)
		}
		t.Logf("one view %v after they hear it again", took)
		e.judge()
	})
}
