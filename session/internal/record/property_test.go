package record

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// wrote is one write that was accepted somewhere.
type wrote struct {
	name    string
	version Version
	kind    Kind
}

// message is a change or a snapshot on its way.
type message struct {
	change   *Change
	snapshot *Snapshot
}

// world is a group of nodes with one session and a network that delays, repeats,
// reorders and loses what it is told to.
type world struct {
	t     *testing.T
	r     *rand.Rand
	nodes []*Session
	inbox [][]message
	now   []time.Duration // each node has its own clock
	log   []wrote
	added map[string]int64 // by Adds to names that are never set
	loss  int              // in a hundred
	diffs bool
	ends  bool
	names int  // names that are written
	adds  bool // writes are mostly Adds and Deletes, and snapshots are frequent
	trace []string
}

func newWorld(t *testing.T, seed uint64, l Limits) *world {
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 7)), added: make(map[string]int64), names: 5}
	for i := range 2 + w.r.IntN(4) {
		w.nodes = append(w.nodes, on('a'+byte(i), l))
		w.now = append(w.now, time.Duration(w.r.IntN(1e9))*time.Second)
	}
	w.inbox = make([][]message, len(w.nodes))
	return w
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	for _, s := range w.nodes {
		w.note("on %.2s: %s marks %v", s.site.node, show(s), s.marksInOrder())
	}
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.trace, "\n"))
}

// step lets something happen.
func (w *world) step() {
	i := w.r.IntN(len(w.nodes))
	s := w.nodes[i]
	w.now[i] += time.Duration(w.r.IntN(1000)) * time.Millisecond
	switch p := w.r.IntN(100); {
	case p < 45:
		w.write(i)
	case p < 65:
		if c := s.Take(w.now[i]); c != nil {
			w.note("%c sends (%d,%d]", 'a'+i, c.From, c.To)
			w.send(i, c)
		}
	case p < 69 || w.adds && p < 80:
		to := w.r.IntN(len(w.nodes))
		w.note("%c sends a snapshot to %c", 'a'+i, 'a'+to)
		w.inbox[to] = append(w.inbox[to], message{snapshot: s.Snapshot(w.now[i])})
	default:
		w.deliver(i)
	}
	checkBooks(w.t, s)
}

// write makes one write.
func (w *world) write(i int) {
	s := w.nodes[i]
	name := fmt.Sprintf("n%d", w.r.IntN(w.names))
	w.note("%c writes %s at %d", 'a'+i, name, s.clock+1)
	kind := Removed
	var err error
	p := w.r.IntN(20)
	if w.adds {
		p = 7 + w.r.IntN(7)
	}
	switch {
	case p < 6:
		kind = Bytes
		value := fmt.Appendf(nil, "v%d", w.r.IntN(100))
		if w.r.IntN(3) == 0 {
			value = large(w.r.IntN(600), string(value))
		}
		err = s.Set(name, value)
	case p < 8:
		kind = Number
		err = s.SetNumber(name, int64(w.r.IntN(100)))
	case p < 12:
		var found bool
		if found, err = s.Delete(name); !found {
			return
		}
	case p < 14:
		if _, err := s.Add(name, int64(w.r.IntN(9)-4)); err != nil && err != ErrNotNumber && err != ErrEnded {
			w.fail("Add: %v", err)
		}
		return
	case p < 17:
		counter, delta := fmt.Sprintf("c%d", w.r.IntN(2)), int64(w.r.IntN(9)-4)
		if _, err = s.Add(counter, delta); err == nil {
			w.added[counter] += delta
		}
		return
	default:
		w.register(i)
		return
	}
	if err == nil {
		w.log = append(w.log, wrote{name, Version{s.clock, s.site.node}, kind})
	} else if err != ErrEnded {
		w.fail("write: %v", err)
	}
}

func (w *world) register(i int) {
	s := w.nodes[i]
	var err error
	switch p := w.r.IntN(40); {
	case p < 12:
		err = s.SetID(fmt.Sprintf("id%d", w.r.IntN(8)))
	case p < 20:
		err = s.SetPrincipal(fmt.Appendf(nil, "p%d", w.r.IntN(8)))
	case p < 28:
		err = s.SetTimeout(time.Duration(w.r.IntN(5000))*time.Millisecond, w.now[i])
	case p == 28 && w.ends:
		err = s.End(Invalidated)
	default:
		s.Touch(w.now[i])
	}
	if err != nil && err != ErrEnded {
		w.fail("write: %v", err)
	}
}

// send puts a change into the inboxes of the others.
func (w *world) send(from int, c *Change) {
	for to := range w.nodes {
		if to == from || w.r.IntN(100) < w.loss {
			continue
		}
		m := message{change: c}
		if w.diffs && w.r.IntN(2) == 0 {
			m.change = asDiffs(w.t, c)
		}
		for range 1 + w.r.IntN(10)/9 {
			w.inbox[to] = append(w.inbox[to], m)
		}
	}
}

// deliver merges one message, mostly the oldest.
func (w *world) deliver(i int) {
	n := len(w.inbox[i])
	if n == 0 {
		return
	}
	at := 0
	if w.r.IntN(3) == 0 {
		at = w.r.IntN(n)
	}
	m := w.inbox[i][at]
	w.inbox[i] = slices.Delete(w.inbox[i], at, at+1)
	s := w.nodes[i]
	unsent := w.unsent(s)
	var err error
	if m.change != nil {
		w.note("%c gets (%d,%d] of %.2s", 'a'+i, m.change.From, m.change.To, m.change.Origin)
		_, err = s.Merge(m.change, w.now[i])
	} else {
		w.note("%c gets a snapshot", 'a'+i)
		_, err = s.MergeSnapshot(m.snapshot, w.now[i])
	}
	if err != nil {
		w.fail("merge: %v", err)
	}
	w.checkUnsent(s, unsent)
	checkBooks(w.t, s)
}

// unsent returns what was written on a node and not taken.
func (w *world) unsent(s *Session) map[string]Version {
	list := make(map[string]Version)
	for i := range s.entries {
		if e := &s.entries[i]; e.unsent {
			list[e.name.Value()] = e.ver
		}
	}
	return list
}

// checkUnsent: a merge leaves what was not taken yet, or has something newer.
func (w *world) checkUnsent(s *Session, before map[string]Version) {
	if s.hasEnded {
		return
	}
	for name, v := range before {
		i, found := s.find(name)
		kept := found && s.entries[i].unsent && s.entries[i].ver.Compare(v) >= 0
		if !kept && !w.removedSince(name, v) {
			w.fail("a merge took %s %v from what was not taken", name, v)
		}
	}
}

// removedSince reports whether there was a Delete of this or a higher version.
func (w *world) removedSince(name string, v Version) bool {
	return slices.ContainsFunc(w.log, func(l wrote) bool {
		return l.name == name && l.kind == Removed && l.version.Compare(v) >= 0
	})
}

// settle delivers what is on its way and then lets the nodes exchange snapshots until
// their digests are equal.
func (w *world) settle(snapshots bool) {
	for i, s := range w.nodes {
		if c := s.Take(w.now[i]); c != nil {
			w.send(i, c)
		}
	}
	for i := range w.nodes {
		for len(w.inbox[i]) > 0 {
			w.deliver(i)
		}
	}
	for round := 0; snapshots && !w.agree(); round++ {
		if round == 3 {
			w.fail("no agreement after %d rounds", round)
		}
		for i, s := range w.nodes {
			for j, o := range w.nodes {
				if i != j && s.digest != o.digest {
					w.note("%c pulls from %c", 'a'+i, 'a'+j)
					pull(w.t, s, o)
				}
			}
		}
	}
	w.checkAgreement()
}

func (w *world) agree() bool {
	return !slices.ContainsFunc(w.nodes, func(s *Session) bool { return s.Digest() != w.nodes[0].Digest() })
}

func (w *world) checkAgreement() {
	first := w.nodes[0]
	for _, s := range w.nodes {
		if s.Digest() != first.Digest() || show(s) != show(first) || s.Len() != first.Len() {
			w.fail("the nodes differ")
		}
		for name := range s.All() {
			if s.Version(name) != first.Version(name) {
				w.fail("the nodes differ in the version of %s", name)
			}
		}
		if s.Pending() {
			w.fail("something is left to take")
		}
	}
}

// checkWrites: each write is there, or something newer replaced it. A name that was
// removed need not be remembered, but no write may come back that is older than what
// was removed last, unless names are forgotten on purpose.
func (w *world) checkWrites(forgetful bool) {
	s := w.nodes[0]
	if s.hasEnded {
		return
	}
	for name, sum := range w.added {
		v, _ := s.Get(name)
		if v.Number != sum {
			w.fail("%s is %d, the Adds make %d", name, v.Number, sum)
		}
	}
	for _, l := range w.log {
		i, found := s.find(l.name)
		have, exists := Version{}, false
		if found {
			have, exists = s.entries[i].ver, s.entries[i].exists()
		}
		if have.Compare(l.version) >= 0 {
			continue
		}
		if exists && !forgetful || !w.removedSince(l.name, l.version) {
			w.fail("the write %v of %s is lost, there is %v", l.version, l.name, have)
		}
	}
}

const worlds = 500

// Whatever is delayed, reordered, repeated: when all changes have arrived, all nodes
// have the same, without a snapshot.
func TestAllChangesInAnyOrder(t *testing.T) {
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		for range 20 + w.r.IntN(150) {
			w.step()
		}
		w.settle(false)
		w.checkWrites(false)
	}
}

// Changes are lost, and differences miss their base: a snapshot repairs it.
func TestLossAndSnapshots(t *testing.T) {
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		w.loss, w.diffs = w.r.IntN(60), true
		for range 20 + w.r.IntN(150) {
			w.step()
		}
		w.settle(true)
		w.checkWrites(false)
	}
}

// Names that were removed are forgotten almost at once, and still nodes agree and no
// write is lost that nobody has removed.
func TestForgettingRemovals(t *testing.T) {
	for seed := range uint64(2 * worlds) {
		w := newWorld(t, seed, Limits{Removed: 1})
		w.loss, w.diffs, w.names = w.r.IntN(60), true, 2+w.r.IntN(3)
		for range 20 + w.r.IntN(200) {
			w.step()
		}
		w.settle(true)
		w.checkWrites(true)
	}
}

// The same with counters, of which parts may be forgotten.
func TestForgettingCounters(t *testing.T) {
	for seed := range uint64(2 * worlds) {
		w := newWorld(t, seed, Limits{Removed: 1})
		w.loss, w.names, w.adds = w.r.IntN(60), 2+w.r.IntN(3), true
		for range 20 + w.r.IntN(200) {
			w.step()
		}
		w.settle(true)
		w.checkWrites(true)
	}
}

// A session that one node ends is over on all.
func TestEndDominates(t *testing.T) {
	ended := 0
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		w.loss, w.ends = w.r.IntN(60), true
		over := false
		for range 20 + w.r.IntN(200) {
			w.step()
			over = over || slices.ContainsFunc(w.nodes, func(s *Session) bool { return s.hasEnded })
		}
		w.settle(true)
		for _, s := range w.nodes {
			if s.hasEnded != over {
				w.fail("ended on some node: %v, ended here: %v", over, s.hasEnded)
			}
		}
		if over {
			ended++
		}
	}
	if ended < worlds/10 {
		t.Errorf("%d of %d sessions ended: too few to prove anything", ended, worlds)
	}
}

// Merging snapshots is commutative, associative and idempotent.
func TestSnapshotLaws(t *testing.T) {
	merged := func(w *world, in ...*Session) *Session {
		s := on('z', Limits{})
		for _, o := range in {
			pull(w.t, s, o)
		}
		return s
	}
	for seed := range uint64(worlds) {
		w := newWorld(t, seed, Limits{})
		w.loss, w.diffs = w.r.IntN(60), true
		for range 20 + w.r.IntN(150) {
			w.step()
		}
		a, b, c := w.nodes[0], w.nodes[1], w.nodes[len(w.nodes)-1]
		ab, ba := merged(w, a, b), merged(w, b, a)
		if show(ab) != show(ba) || ab.Digest() != ba.Digest() {
			w.fail("not commutative:\n%s\n%s", show(ab), show(ba))
		}
		if twice := merged(w, a, b, a, b); twice.Digest() != ab.Digest() {
			w.fail("not idempotent:\n%s\n%s", show(twice), show(ab))
		}
		left, right := merged(w, ab, c), merged(w, a, merged(w, b, c))
		if show(left) != show(right) || left.Digest() != right.Digest() {
			w.fail("not associative:\n%s\n%s", show(left), show(right))
		}
	}
}
