package replmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// Tribes makes a map one of Tribes' ReplicatedMap or LazyReplicatedMap, with Java nodes and
// members of this module. The name of the map is the context name of the Java map, in ISO 8859-1; keys and
// values are Java objects, so the codecs are those of this package whose names begin with
// Java.
//
// Tribes' maps have no versions: the last message to arrive wins, also if it was overtaken.
// This member does what can be done from one side: a message of a node that was overtaken
// by a later one of the same key is left out; what could not be sent to a node is sent when
// it answers again; when a node is back that was lost, entries that were written here since
// then go to it, and of all others its own are taken; and an entry whose primary is gone
// and that no Java node takes over gets this member as its primary.
type Tribes struct {
	// Lazy makes the map a LazyReplicatedMap, on all members or none: the value of a key is
	// on its primary, which is who has put it last, and on one backup; the others know whose
	// it is. Get and Delete of a key whose value is elsewhere ask for it, and this member
	// becomes its primary; Get of a backup reads what is here, and moves nothing. All, Len
	// and Watch are about the values that are here, [Map.Keys] about all keys. When the
	// primary is gone the backup takes its place and chooses another backup, and the primary
	// does so when the backup is gone. What both had who are gone at about the same time is
	// lost: [ErrNoHolder].
	Lazy bool
	// Class is the class version of members in Java objects: Java9, Java100 or Java101;
	// 0 means Java101. Java nodes of another line refuse what is sent.
	Class int64
	// Timeout is how long the start waits for answers of a node; 0 means 5 s, which is
	// what Java nodes use.
	Timeout time.Duration
	// Access is the time between two questions whether the others still have the map, and
	// how long they may take to answer; 0 means 5 s.
	Access time.Duration
}

// The class versions of Tomcat's lines, for Tribes.Class.
const (
	Java9   = javaser.MemberUID85  // Tomcat 8.5 and 9.0
	Java100 = javaser.MemberUID100 // Tomcat 10.0
	Java101 = javaser.MemberUID101 // Tomcat 10.1 and later
)

// errNotInTribes is the error of what a Tribes map does not have.
var errNotInTribes = fmt.Errorf("tribes: replmap: not in a map of Tribes: %w", errors.ErrUnsupported)

// tribesMap is the replication with the messages of Tribes' ReplicatedMap.
type tribesMap struct {
	*replica
	cfg Tribes
	id  string // of the map and of its remote calls, in ISO 8859-1
	rpc *group.RPC

	ctx     context.Context // ends with close
	cancel  context.CancelFunc
	wg      sync.WaitGroup
	busy    chan struct{} // has room for those that do something later
	isReady chan struct{} // closed when all entries are here
	sending *turns
	taking  sync.Mutex // one message of another member after the other

	mu sync.Mutex
	// The rest is guarded by mu.
	begun, closed bool
	state         string
	others        []*membership.Member              // that have the map, in the order in which they came
	lost          map[membership.ID]uint64          // and what this member had counted to when they were
	reuniting     map[membership.ID]uint64          // the same, of those that are back and not merged with
	missed        map[membership.ID]map[string]bool // keys that could not be sent, and whether they were gone
	listed        map[membership.ID]bool            // who was told who has the entries of this member
	places        map[string]*place
	recent        []recentWrite
	hearing       []*ear                  // of the state transfers that go on
	provider      *membership.Member      // who has given the entries, until they were asked for again
	seen          map[membership.ID]bool  // who has shown that it sees this member
	seenAll       time.Time               // since when all have shown it
	asks          map[string]bool         // keys that are asked for on behalf of others
	fetching      map[string]*absentValue // keys of which a value is asked for, and what to ask for next
	went, came    map[membership.ID]bool  // who has gone, and come, since all were asked whether they have the map
	undo          []func()

	turn  atomic.Uint64 // of the members as backups
	pings int           // so far; of ping alone
}

func newTribes(r *replica, cfg Tribes) (*tribesMap, error) {
	setDefault(&cfg.Class, Java101)
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.Access, 5*time.Second)
	if min(cfg.Timeout, cfg.Access) < 0 {
		return nil, errors.New("tribes: replmap: Tribes: negative duration")
	}
	id, err := latin1(r.name)
	if err != nil {
		return nil, err
	}
	rpc, err := r.group.RPC(id)
	if err != nil {
		return nil, fmt.Errorf("tribes: replmap: %q: %w", r.name, err)
	}
	t := &tribesMap{
		replica: r, cfg: cfg, id: id, rpc: rpc, busy: make(chan struct{}, maxBusy), isReady: make(chan struct{}),
		sending: newTurns(), state: tribeswire.New, lost: make(map[membership.ID]uint64), listed: make(map[membership.ID]bool),
		reuniting: make(map[membership.ID]uint64),
		missed:    make(map[membership.ID]map[string]bool), places: make(map[string]*place),
		asks: make(map[string]bool), fetching: make(map[string]*absentValue), went: make(map[membership.ID]bool), came: make(map[membership.ID]bool), seen: make(map[membership.ID]bool),
	}
	r.placed = t.holders
	if cfg.Lazy {
		r.keys = t.keys
	}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	return t, nil
}

// latin1 returns a text in ISO 8859-1.
func latin1(s string) (string, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return "", fmt.Errorf("tribes: replmap: %q is no name of a Tribes map: %q is not in ISO 8859-1", s, r)
		}
		b = append(b, byte(r))
	}
	return string(b), nil
}

// isJava reports whether bytes are the beginning of a Java object.
func isJava(b []byte, err error) bool {
	return err == nil && bytes.HasPrefix(b, []byte("\xac\xed\x00\x05"))
}

// start implements replication.
func (t *tribesMap) start(ctx context.Context) error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return ErrClosed
	}
	if !t.begun {
		remove, err := t.rpc.HandleBody(t.asked, group.HandlerConfig{})
		if err != nil {
			t.mu.Unlock()
			return fmt.Errorf("tribes: replmap: %w", err)
		}
		t.begun = true
		t.rpc.HandleLate(t.late)
		t.undo = append(t.undo, remove, func() { t.rpc.HandleLate(nil) },
			t.group.Listen(objects{t}), t.group.Watch(departures{t}))
		t.wg.Go(func() { t.join(t.ctx) })
		t.wg.Go(func() { t.ping(t.ctx) })
	}
	t.mu.Unlock()
	select {
	case <-t.isReady:
		return nil
	case <-t.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
	}
}

// ready implements replication.
func (t *tribesMap) ready() bool {
	select {
	case <-t.isReady:
		return true
	default:
		return false
	}
}

// later runs f until close. The caller must not hold t.mu.
func (t *tribesMap) later(f func(ctx context.Context)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.wg.Go(func() {
		select {
		case t.busy <- struct{}{}:
			defer func() { <-t.busy }()
			f(t.ctx)
		case <-t.ctx.Done():
		}
	})
}

// close implements replication.
func (t *tribesMap) close() {
	t.mu.Lock()
	t.closed, t.state = true, tribeswire.Destroyed
	undo, to := t.undo, slices.Clone(t.others)
	t.mu.Unlock()
	if len(to) > 0 {
		ctx, cancel := context.WithTimeout(t.ctx, t.budget)
		if !t.cfg.Lazy {
			t.handOver(ctx, to)
		}
		if err := t.send(ctx, to, &tribeswire.Message{Type: tribeswire.Stop, Primary: t.local()}); err != nil {
			t.log.Debug("goodbye did not arrive everywhere", "err", err) // who does not hear it asks
		}
		cancel()
	}
	for _, f := range undo {
		f()
	}
	t.cancel()
	t.wg.Wait()
}

// handOver makes the first of the others the primary of what is this member's: a Java node
// that does not count this one among its members just now ignores that it stops.
func (t *tribesMap) handOver(ctx context.Context, to []*membership.Member) {
	t.mu.Lock()
	var keys []string
	for key, p := range t.places {
		if p.primary != nil && p.primary.ID() == t.local().ID() {
			keys = append(keys, key)
		}
	}
	t.mu.Unlock()
	for _, key := range keys {
		m := &tribeswire.Message{Type: tribeswire.Notify, Key: []byte(key), Primary: to[0], Nodes: to}
		if err := t.send(ctx, to, m); err != nil {
			t.log.Debug("entries were not handed over", "err", err)
			return
		}
	}
}

func (t *tribesMap) local() *membership.Member { return t.group.Local() }

// message fills in what all messages have.
func (t *tribesMap) message(m *tribeswire.Message) *tribeswire.Message {
	m.Map, m.Class = []byte(t.id), t.cfg.Class
	return m
}

// send sends a message that is no remote call.
func (t *tribesMap) send(ctx context.Context, to []*membership.Member, m *tribeswire.Message) error {
	b, err := t.message(m).Append(nil)
	if err != nil {
		return err
	}
	o := group.Sync
	if t.wait == WaitNone {
		o = group.NoAck
	}
	_, err = t.group.SendObject(ctx, to, b, o)
	return err
}

// members implements replication.
func (t *tribesMap) members() (all []*membership.Member, current int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.others), len(t.others)
}

// primary implements replication: it is the member that has put the entry last, or has
// taken it over.
func (t *tribesMap) primary(key string) *membership.Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[key]; p != nil {
		return p.primary
	}
	return nil
}

// conditional implements replication.
func (t *tribesMap) conditional(context.Context, *mapwire.Write) (*entry.Entry, bool, error) {
	return nil, false, errNotInTribes
}

// publish implements replication. Messages about keys of one bucket go out one after the
// other and say what is the case then, so that the last one is right.
func (t *tribesMap) publish(ctx context.Context, c *change) error {
	e := &c.now
	if t.cfg.Lazy {
		return t.publishLazy(ctx, e)
	}
	to, _ := t.members()
	t.own(e.Key, to)
	if len(to) == 0 {
		t.n.alone.Add(1)
		return nil
	}
	err := t.tell(ctx, to, e.Key, e)
	if err == nil {
		return nil
	}
	var failed *message.SendError
	if !errors.As(err, &failed) {
		for _, m := range to { // who has it, nobody knows
			t.miss(m, e.Key)
		}
		return err
	}
	reached := 0
	for _, r := range failed.Results {
		if r.Outcome.OK() {
			reached++
			continue
		}
		t.n.leftOut.Add(1)
		t.miss(r.Member, e.Key)
		t.log.Warn("entry did not arrive, and is sent again when the member answers", "member", r.Member, "err", r.Err)
	}
	if reached == 0 {
		t.n.alone.Add(1)
	}
	return nil
}

// tell sends members what a key is now. wish is what this member has written, if it has.
func (t *tribesMap) tell(ctx context.Context, to []*membership.Member, key string, wish *entry.Entry) error {
	if t.cfg.Lazy {
		return t.spread(ctx, to, key)
	}
	return t.flying(key, true, wish, func() error { return t.tellNow(ctx, to, key) })
}

func (t *tribesMap) tellNow(ctx context.Context, to []*membership.Member, key string) error {
	end, err := t.sending.take(ctx, key)
	if err != nil {
		return err
	}
	defer end()
	e, there := t.table.Get(key)
	if !there {
		t.forget(key)
		return t.send(ctx, to, &tribeswire.Message{Type: tribeswire.Remove, Key: []byte(key)})
	}
	return t.send(ctx, to, t.copyOf(&e))
}

// copyOf returns the message that says what an entry is.
func (t *tribesMap) copyOf(e *entry.Entry) *tribeswire.Message {
	m := t.message(&tribeswire.Message{Type: tribeswire.Copy, Key: []byte(e.Key), Value: e.Value})
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.places[e.Key]; p != nil {
		m.Primary, m.Nodes = p.primary, p.nodes
	}
	return m
}

// miss notes that a member lacks what a key is.
func (t *tribesMap) miss(m *membership.Member, key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.missLocked(m.ID(), key)
}

// missLocked is miss for a caller that holds t.mu.
func (t *tribesMap) missLocked(id membership.ID, key string) {
	if since, lost := t.lost[id]; lost {
		t.lost[id] = min(since, t.before(key))
		return
	}
	if !contains(t.others, id) {
		return // it has left
	}
	if t.missed[id] == nil {
		t.missed[id] = make(map[string]bool)
	}
	p := t.places[key]
	t.missed[id][key] = p == nil || !p.known
}

// before is a counter below that of the last write of a key.
func (t *tribesMap) before(key string) uint64 {
	for _, e := range t.table.States([]string{key}) {
		return e.Version.Counter - 1
	}
	return t.table.Clock()
}
