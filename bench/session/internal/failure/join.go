package failure

import (
	"context"
	"fmt"
	"time"

	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/system"
	"github.com/gotribes/tribes/bench/session/internal/web"
)

// Join is what a node that came to a group with sessions showed.
type Join struct {
	// Empty is how long such a node needs until it takes requests when there is no
	// session, Ready when there are all of them.
	Empty time.Duration `json:"emptyStartNs"`
	Ready time.Duration `json:"readyNs"`
	// Bytes is what it got from others until it was ready, frames and the updates of
	// those moments included, less what the start without sessions took; negative if
	// that is not counted here.
	Bytes int64 `json:"bytes"`
	// Held is how many sessions it said it has when it was first ready, Found how many
	// of Looked it really had just then.
	Held   int64 `json:"held"`
	Found  int   `json:"found"`
	Looked int   `json:"looked"`
	// Complete is when it said it has all of them, or, where not every node is to have all,
	// when the nodes said that there are all copies; negative if that never was so. It is 0
	// where sessions are in a store and nodes need not have any.
	Complete time.Duration `json:"completeNs"`
	// Again is how long the others needed, at most, to make copies of what a donor had that
	// was killed; 0 where there is nothing to be made.
	Again time.Duration `json:"copiesAgainNs"`
	// Rest is an audit of all nodes after the load.
	Rest load.Rest `json:"rest"`
}

const (
	looks        = 500 // at sessions, when the node says that it is ready
	restLooks    = 2000
	readyStep    = 2 * time.Millisecond
	completeStep = 20 * time.Millisecond
	completeTime = 30 * time.Second
)

// joining lets a node join a system; the donors are the nodes that run.
type joining struct {
	sys    *system.System
	joiner int
	donors []int
	result Join
	begin  time.Time
}

// newJoining measures the start without sessions, of which there must be none.
func newJoining(ctx context.Context, s *system.System) (*joining, error) {
	j := &joining{sys: s, donors: s.Up()}
	j.joiner = len(j.donors)
	took, bytes, err := j.start(ctx)
	if err != nil {
		return nil, err
	}
	j.result.Empty, j.result.Bytes = took, -bytes
	if bytes < 0 {
		j.result.Bytes = 0
	}
	if err := s.Await(ctx, j.joiner, len(j.donors)); err != nil {
		return nil, err
	}
	if err := s.Stop(j.joiner); err != nil {
		return nil, err
	}
	return j, s.AwaitGone(ctx, j.donors[0], len(j.donors)-1)
}

// start starts the node and waits until it takes requests. bytes is what it got, or
// negative.
func (j *joining) start(ctx context.Context) (took time.Duration, bytes int64, err error) {
	was, _, unknown := j.sys.Place().Moved(j.joiner)
	j.begin = time.Now()
	if err := j.sys.Launch(j.joiner); err != nil {
		return 0, 0, err
	}
	if err := j.sys.AwaitReady(ctx, j.joiner, readyStep); err != nil {
		return 0, 0, err
	}
	took = time.Since(j.begin)
	if unknown != nil {
		return took, -1, nil
	}
	is, _, err := j.sys.Place().Moved(j.joiner)
	return took, int64(is - was), err
}

// join is the damage.
func (j *joining) join(ctx context.Context, ids []string) error {
	took, bytes, err := j.start(ctx)
	if err != nil {
		return err
	}
	r := &j.result
	r.Ready = took
	if r.Bytes = max(0, r.Bytes+bytes); bytes < 0 {
		r.Bytes = -1
	}
	reply, err := j.sys.Ask(ctx, j.joiner, "/stats")
	if err != nil {
		return err
	}
	r.Held = reply.Sessions
	stride := max(1, len(ids)/looks)
	var some []string
	for i := 0; i < len(ids) && len(some) < looks; i += stride {
		some = append(some, ids[i])
	}
	r.Looked = len(some)
	r.Found, err = load.Held(ctx, web.Dial(j.sys.Dial(j.joiner)), some)
	return err
}

// rest waits until all copies are there, compares the nodes, and kills the donors, so that
// all depends on what the node has. Where a session is on some nodes alone, the others get
// the time to make up for the first donor before the next one is killed.
func (j *joining) rest(ctx context.Context, sessions []*load.Session) error {
	r := &j.result
	if !j.sys.Column.Elsewhere() {
		all, err := j.copied(ctx, len(sessions))
		if err != nil {
			return err
		}
		if r.Complete = -1; all {
			r.Complete = time.Since(j.begin)
		}
	}
	var dials []web.Dial
	for _, i := range j.sys.Up() {
		dials = append(dials, web.Dial(j.sys.Dial(i)))
	}
	var err error
	if r.Rest, err = load.Audit(ctx, dials, sessions, j.sys.Column.Copies(), restLooks); err != nil {
		return fmt.Errorf("looking at the nodes: %w", err)
	}
	for _, i := range j.donors {
		j.sys.Kill(i)
		if j.sys.Column.Copies() == 0 {
			continue
		}
		begin := time.Now()
		if _, err := j.copied(ctx, len(sessions)); err != nil {
			return err
		}
		r.Again = max(r.Again, time.Since(begin))
	}
	return nil
}

// copied waits until the nodes say that they have all copies of so many sessions, but not
// longer than completeTime, and tells whether they do.
func (j *joining) copied(ctx context.Context, sessions int) (bool, error) {
	copies := min(j.sys.Column.Copies(), len(j.sys.Up()))
	for end := time.Now().Add(completeTime); time.Now().Before(end); {
		held, err := j.held(ctx, copies == 0)
		if err != nil {
			return false, err
		}
		if held >= int64(sessions*max(1, copies)) {
			return true, nil
		}
		if err := pause(ctx, completeStep); err != nil {
			return false, err
		}
	}
	return false, nil
}

// held is how many sessions the joiner says it has, or all nodes together.
func (j *joining) held(ctx context.Context, joiner bool) (sum int64, err error) {
	nodes := j.sys.Up()
	if joiner {
		nodes = []int{j.joiner}
	}
	for _, i := range nodes {
		reply, err := j.sys.Ask(ctx, i, "/stats")
		if err != nil {
			return 0, err
		}
		sum += reply.Sessions
	}
	return sum, nil
}
