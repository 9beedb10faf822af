package replmap

import (
	"bytes"
	"context"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// place says whose an entry is.
type place struct {
	primary *membership.Member
	nodes   []*membership.Member
	from    membership.ID // who has written it last, and when by its own clock, in ms
	sent    int64
	came    time.Time // and when that has come
	orphan  bool      // its primary is gone, and who takes over is not known
	flying  int       // messages of this member about it that are not answered
	values  int       // those of them that have its value, or say that it is gone
	crossed bool      // while one was on its way another member has said something else
	clash   bool      // the same, of two messages with values
	known   bool      // there is such a key
	told    int       // how often another member has said something about it, and when last
	valued  int       // how often what it is
	heard   time.Time
	learned time.Time    // when what it is was heard last
	spare   []byte       // the value that was here, until it is sure that others have one
	spared  time.Time    // since when
	wish    *entry.Entry // what this member has written, while messages about that fly
	wishing int          // messages of its writes that are not answered
	saying  bool         // something is to be said again about it
	next    *repeat      // that, or what is to be said after it
	relayed time.Time    // when this member has told others a value that it has not written
	tries   int          // to get the value from who is to have it, after its primary was gone
}

// own makes this member the primary of a key, nodes the others that have the value. In a
// LazyReplicatedMap that is who has it already.
func (t *tribesMap) own(key string, nodes []*membership.Member) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(key)
	if t.cfg.Lazy {
		nodes = t.keep(p)
	}
	p.primary, p.nodes, p.from, p.sent, p.orphan, p.known = t.local(), nodes, t.local().ID(), 0, false, true
	p.tries = 0
	t.wrote(key)
}

// recentWrite is a key that was written here a moment ago.
type recentWrite struct {
	key string
	at  time.Time
}

// What is remembered of writes: for longer than members hear of each other at different
// times, and never more than so many.
const (
	recentTime  = 10 * time.Second
	recentCount = 1 << 12
)

// wrote notes a write. The caller holds t.mu.
func (t *tribesMap) wrote(key string) {
	now := time.Now()
	old := 0
	for old < len(t.recent) && (now.Sub(t.recent[old].at) > recentTime || len(t.recent)-old >= recentCount) {
		old++
	}
	t.recent = append(t.recent[old:], recentWrite{key, now})
}

// place returns that of a key. The caller holds t.mu.
func (t *tribesMap) place(key string) *place {
	p := t.places[key]
	if p == nil {
		p = &place{}
		t.places[key] = p
	}
	return p
}

// flying sends something about a key by f. If another member says something else about it
// before all have answered, then each side may have taken what the other has said. So this
// member says again what it has then: the one with the lowest id at once, the others later,
// one after the other, unless they hear more meanwhile.
//
// wish is what this member has written, nil if it only tells what others have: whoever has
// written says that again, and before others do.
func (t *tribesMap) flying(key string, value bool, wish *entry.Entry, f func() error) error {
	n := 0
	if value {
		n = 1
	}
	t.mu.Lock()
	p := t.place(key)
	if value && !p.heard.IsZero() && time.Since(p.heard) < closeTime {
		p.crossed, p.clash = true, true
	}
	p.flying, p.values = p.flying+1, p.values+n
	writes := wish != nil
	if writes {
		p.wish, p.wishing = wish, p.wishing+1
	}
	t.mu.Unlock()
	err := f()
	t.mu.Lock()
	p = t.place(key)
	if writes {
		p.wishing--
	}
	p.flying, p.values = p.flying-1, p.values-n
	crossed, clash := p.flying == 0 && p.crossed, p.flying == 0 && p.clash
	wish = p.wish
	if p.flying == 0 {
		p.crossed, p.clash, p.wish = false, false, nil
	}
	t.mu.Unlock()
	if crossed {
		t.sayAgain(key, clash, wish)
	}
	return err
}

// hear notes that another member has said something about a key: if it is a value and all
// have answered what this member has written, that is over. The caller holds t.mu.
func (p *place) hear(value bool) {
	p.told++
	if value {
		p.valued, p.learned = p.valued+1, time.Now()
	}
	if value && p.wishing == 0 {
		p.wish = nil
	}
	p.heard = time.Now()
	p.crossed = p.crossed || p.flying > 0
	p.clash = p.clash || value && p.values > 0
}

// overtaken reports whether a message of a member was overtaken by a later one. What comes
// long after that one was not: the clock of the member was set back. The caller holds t.mu.
func (p *place) overtaken(from membership.ID, sent int64) bool {
	return p.from == from && sent != 0 && sent < p.sent && time.Since(p.came) < recentTime
}

// rank is how many members of the map have a lower id.
func (t *tribesMap) rank() int {
	mine, n := t.local().ID(), 0
	others, _ := t.members()
	for _, m := range others {
		if id := m.ID(); bytes.Compare(id[:], mine[:]) < 0 {
			n++
		}
	}
	return n
}

// againPause is the least time before something is said again. A Java node notes what it
// has put after it has told the others of it: what comes in between is lost there. So a
// value that is sent within closeTime of one that has come counts as crossed.
const (
	againPause = 100 * time.Millisecond
	closeTime  = 250 * time.Millisecond
)

// repeat is what is to be said again about a key: what it is, or only whose, after messages
// about it have crossed.
type repeat struct {
	clash  bool
	wish   *entry.Entry
	before stance // when they had
}

// sayAgain says again what a key is, later. Of each key one thing is said at a time, and
// what crosses meanwhile makes one more, so that members that all write it do not gather
// ever more to say.
func (t *tribesMap) sayAgain(key string, clash bool, wish *entry.Entry) {
	r := &repeat{clash, wish, t.stand(key)}
	t.mu.Lock()
	p := t.place(key)
	if p.next == nil || r.clash || !p.next.clash {
		p.next = r
	}
	busy := p.saying
	p.saying = true
	t.mu.Unlock()
	if busy {
		return
	}
	t.later(func(ctx context.Context) {
		for r := t.nextSaid(key); r != nil; r = t.nextSaid(key) {
			t.again(ctx, key, r.clash, r.wish, r.before)
		}
	})
}

// nextSaid takes what is to be said again about a key; nil is nothing any more.
func (t *tribesMap) nextSaid(key string) (r *repeat) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(key)
	r, p.next = p.next, nil
	if p.saying = r != nil; !p.saying {
		t.prune(key, p)
	}
	return r
}

// again says what a key is, or only whose it is, after messages about it have crossed,
// unless others have spoken since.
func (t *tribesMap) again(ctx context.Context, key string, clash bool, wish *entry.Entry, before stance) {
	place := t.rank()
	if others, _ := t.members(); wish == nil {
		place += len(others) + 1
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(againPause + time.Duration(place)*t.cfg.Access/4):
	}
	if t.stand(key).since(before, clash && !t.cfg.Lazy) {
		return // another has said it again
	}
	t.n.repaired.Add(1)
	if t.cfg.Lazy {
		t.againLazy(ctx, key, wish)
		return
	}
	to, _ := t.members()
	if len(to) == 0 {
		return
	}
	var err error
	if clash {
		if wish != nil && !t.is(wish) {
			t.table.Write(entry.Entry{Key: key, Value: wish.Value, Gone: wish.Gone, Lifetime: entry.Forever}, nil)
		}
		t.own(key, to)
		err = t.tell(ctx, to, key, wish)
	} else {
		err = t.flying(key, false, wish, func() error { return t.say(ctx, to, key) })
	}
	if err != nil {
		for _, m := range to {
			t.miss(m, key)
		}
	}
}

// is reports whether a key is what was written.
func (t *tribesMap) is(wish *entry.Entry) bool {
	e, there := t.table.Get(wish.Key)
	return there != wish.Gone && bytes.Equal(e.Value, wish.Value)
}

// stance is what a key is and whose.
type stance struct {
	version entry.Version
	primary membership.ID
	told    int
	valued  int
}

// since reports whether a member has spoken of a key since another stance: if only values
// count, not by saying whose it is.
func (s stance) since(before stance, values bool) bool {
	if values {
		return s.version != before.version || s.valued != before.valued
	}
	return s != before
}

func (t *tribesMap) stand(key string) (s stance) {
	e, _ := t.table.Get(key)
	s.version = e.Version
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil {
		s.told, s.valued = p.told, p.valued
		if p.primary != nil {
			s.primary = p.primary.ID()
		}
	}
	return s
}

// say tells members whose a key is.
func (t *tribesMap) say(ctx context.Context, to []*membership.Member, key string) error {
	t.mu.Lock()
	m := &tribeswire.Message{Type: tribeswire.Notify, Key: []byte(key)}
	if p := t.places[key]; p != nil {
		m.Primary, m.Nodes = p.primary, p.nodes
	}
	t.mu.Unlock()
	if m.Primary == nil {
		return nil
	}
	return t.send(ctx, to, m)
}

// forget drops the place of a key that is gone. What was heard of it a moment ago stays
// known until [tribesMap.tidy].
func (t *tribesMap) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil {
		*p = place{flying: p.flying, values: p.values, crossed: p.crossed, clash: p.clash, from: p.from, sent: p.sent, came: p.came,
			told: p.told, valued: p.valued, heard: p.heard, learned: p.learned, wish: p.wish, wishing: p.wishing, saying: p.saying, next: p.next}
		t.prune(key, p)
	}
}

// tidy drops the places of keys that are gone and were not heard of lately.
func (t *tribesMap) tidy() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, p := range t.places {
		t.prune(key, p)
	}
}

// prune drops a place that says nothing any more. The caller holds t.mu.
func (t *tribesMap) prune(key string, p *place) {
	if !p.known && p.flying == 0 && !p.saying && time.Since(p.heard) > recentTime {
		delete(t.places, key)
	}
}
