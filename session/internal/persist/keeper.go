package persist

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/stored"
	"github.com/gotribes/tribes/session/internal/table"
)

// Keeper is the sessions in memory together with those in a store. Its methods can be called
// from any number of goroutines.
type Keeper struct {
	Inner
	cfg   Config
	calls *calls
	site  *record.Site // of copies that are compared, never written to
	n     counters
	zero  atomic.Int64 // time of day, in nanoseconds, at which the sessions' clock began

	begun   atomic.Bool // there is a sweep
	forgets atomic.Bool // Close saves nothing
	expires atomic.Bool // the store removes what has expired

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // goroutines
	some   chan struct{}  // has room for those that nobody waits for
	kick   chan struct{}  // has room for one: there are more sessions than should be

	mu sync.Mutex
	// The rest is guarded by mu.
	closed  bool
	flights map[string]*flight
	reads   map[string]map[*read]bool // by what they look at
	owed    map[string]bool           // ended, and to be deleted
	late    map[string]time.Time      // to be deleted once more, from then on
	past    map[string]lapse          // expired here
	revived map[string]time.Time      // saved anew although the store did not have them
	ended   map[string]time.Time      // here or on other nodes, not long ago
	told    uint64                    // the outage in which the log had that too much is owed
	dead    map[record.Node]time.Time // that have failed not long ago
}

// lapse is what is remembered of a session that has expired, until the store has let it
// expire too.
type lapse struct {
	accessed time.Time // the last access; zero if that is not known
	at       time.Time // when it had expired
	until    time.Time
}

// background is how many goroutines there are that nobody waits for.
const background = 64

// New returns a keeper. It starts nothing before it has a session.
func New(in Inner, c Config) *Keeper {
	k := &Keeper{
		Inner: in, cfg: c, calls: newCalls(&c), site: record.NewSite(membership.NewID(), c.Limits, false),
		reads: make(map[string]map[*read]bool), some: make(chan struct{}, background), kick: make(chan struct{}, 1),
		flights: make(map[string]*flight), owed: make(map[string]bool), late: make(map[string]time.Time),
		past: make(map[string]lapse), revived: make(map[string]time.Time),
		ended: make(map[string]time.Time), dead: make(map[record.Node]time.Time),
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k
}

// begin starts the sweep, once.
func (k *Keeper) begin() {
	if k.begun.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.begun.Load() && !k.closed {
		k.begun.Store(true)
		k.wg.Go(k.run)
	}
}

// async runs f unless too much of that goes on, or the keeper is closed.
func (k *Keeper) async(f func(context.Context)) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return false
	}
	select {
	case k.some <- struct{}{}:
		k.wg.Go(func() {
			defer func() { <-k.some }()
			f(k.ctx)
		})
		return true
	default:
		return false
	}
}

// Create returns a session that nobody else can find yet. It does not leave memory before
// it is released.
func (k *Keeper) Create() *table.Entry {
	k.begin()
	h := k.Inner.Create()
	h.Kept = &table.Kept{Known: true, Users: 1}
	return h
}

// Add makes a session findable by its id.
func (k *Keeper) Add(h *table.Entry) error {
	if err := k.Inner.Add(h); err != nil {
		return err
	}
	k.crowded()
	return nil
}

// crowded asks for a sweep if there are more sessions in memory than there should be.
func (k *Keeper) crowded() {
	if k.cfg.InMemory > 0 && k.Count() > k.cfg.InMemory {
		select {
		case k.kick <- struct{}{}:
		default:
		}
	}
}

// kept returns what is known of h in the store. The caller holds h.Mu.
func kept(h *table.Entry) *table.Kept {
	if h.Kept == nil {
		h.Kept = new(table.Kept)
	}
	return h.Kept
}

// pin keeps a session in memory until it is released, unless it has left already.
func pin(h *table.Entry) bool {
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if kept(h).Swapped {
		return false
	}
	h.Kept.Users++
	return true
}

// Release is the end of a use that began with Find or Create.
func (k *Keeper) Release(h *table.Entry) {
	h.Mu.Lock()
	kept(h).Users--
	h.Mu.Unlock()
}

// Accessed is told of an access. The caller holds h.Mu.
func (k *Keeper) Accessed(h *table.Entry) {
	k.Inner.Accessed(h)
	at, now := kept(h), k.Now()
	at.Accessed = now
	timeout := h.Rec.Timeout()
	if timeout <= 0 || at.Touching || at.Known && at.Version == 0 {
		return
	}
	if k.wall(now).Sub(at.Noted) >= stored.Slack(timeout, k.cfg.Touch) {
		at.Touching = k.async(func(ctx context.Context) { k.touch(ctx, h) })
	}
}

// Wrote is told of a write. The caller holds h.Mu.
func (k *Keeper) Wrote(h *table.Entry) {
	if h.Rec.Pending() {
		at := kept(h)
		if at.Writes == at.Saved {
			at.Since = k.Now()
		}
		at.Writes++
		at.TooLarge = false
		at.Accessed = max(at.Accessed, k.accessed(h))
	}
	k.Inner.Wrote(h)
}

// accessed returns the last access that is known of. The caller holds h.Mu.
func (k *Keeper) accessed(h *table.Entry) time.Duration {
	last := kept(h).Accessed
	now := k.Now()
	if t, left := h.Rec.Timeout(), h.Rec.Remaining(now); t > 0 && left != record.Never {
		last = max(last, min(now+left-t, now))
	}
	return last
}

// wall returns the time of day, in whole milliseconds, at a time of the sessions' clock. One
// time is always the same, unless the clock of the machine is set.
func (k *Keeper) wall(at time.Duration) time.Time {
	const stepped = int64(50 * time.Millisecond)
	zero := time.Now().UnixNano() - int64(k.Now())
	if old := k.zero.Load(); zero-old > stepped || old-zero > stepped {
		k.zero.Store(zero)
	} else {
		zero = old
	}
	return time.Unix(0, zero+int64(at)).Truncate(time.Millisecond)
}

// End ends a session. The caller holds h.Mu. One that was invalidated is deleted by the next
// Commit, or by the sweep; one that has expired is left to the store.
func (k *Keeper) End(h *table.Entry, why record.Reason) error {
	at := kept(h)
	ids := k.places(h, at)
	accessed := k.wall(k.accessed(h))
	if _, ended := h.Rec.Ended(); ended {
		return record.ErrEnded
	}
	k.mu.Lock()
	if why != record.Expired {
		k.outdate(h)
	}
	for _, id := range ids {
		if why == record.Expired {
			k.lapses(id, accessed)
		} else {
			k.owe(id)
			if at.Tried != "" && k.Now()-at.TriedAt < linger && k.owed[id] {
				k.late[id] = time.Now().Add(linger)
			}
			k.over(id)
		}
	}
	k.mu.Unlock()
	if why != record.Expired {
		at.Doomed = ids
	}
	return k.Inner.End(h, why)
}

// places returns what a session may be stored under. The caller holds h.Mu.
func (k *Keeper) places(h *table.Entry, at *table.Kept) (ids []string) {
	if at.ID != "" {
		ids = append(ids, at.ID)
	}
	if id := k.cfg.ID(h.Rec.ID()); id != "" && id != at.ID && (!at.Known || at.Busy != nil || at.Failed || at.Version > 0) {
		ids = append(ids, id)
	}
	if at.Tried != "" && !slices.Contains(ids, at.Tried) {
		ids = append(ids, at.Tried)
	}
	return ids
}

// Drop ends a session that was deleted elsewhere. The caller holds h.Mu.
func (k *Keeper) Drop(h *table.Entry) error {
	k.mu.Lock()
	k.outdate(h)
	k.mu.Unlock()
	return k.Inner.End(h, record.Invalidated)
}

// lapses remembers that a session has expired. The caller holds k.mu.
func (k *Keeper) lapses(id string, accessed time.Time) {
	now := time.Now()
	k.past[id] = lapse{accessed: accessed, at: now, until: now.Add(2*k.cfg.Touch + k.cfg.Sweep)}
}

// touch tells the store that a session is in use.
func (k *Keeper) touch(ctx context.Context, h *table.Entry) {
	err := k.note(ctx, h)
	h.Mu.Lock()
	h.Kept.Touching = false
	h.Mu.Unlock()
	if err != nil && !errors.Is(err, ErrStore) && ctx.Err() == nil {
		k.cfg.Logger.Log(ctx, slog.LevelDebug, "access to a session not stored", "err", err)
	}
}

// note tells the store of the last access to a session, unless it knows.
func (k *Keeper) note(ctx context.Context, h *table.Entry) error {
	if err := k.acquire(ctx, h); err != nil {
		return err
	}
	defer k.release(h)
	h.Mu.RLock()
	at := *h.Kept
	accessed, id := k.wall(at.Accessed), at.ID
	_, ended := h.Rec.Ended()
	if id == "" {
		id = k.cfg.ID(h.Rec.ID())
	}
	h.Mu.RUnlock()
	if ended || id == "" || !accessed.After(at.Noted) || at.Known && at.Version == 0 {
		return nil
	}
	err := k.calls.do(ctx, "touch", func(ctx context.Context) error { return k.cfg.Store.Touch(ctx, id, accessed) })
	if isNotFound(err) {
		k.lost(h, at.Version)
		return nil
	}
	if err != nil {
		return err
	}
	k.n.touches.Add(1)
	h.Mu.Lock()
	h.Kept.Noted = accessed
	h.Mu.Unlock()
	return nil
}

// routeOf returns the part of an id that is of the node that has made it.
func routeOf(id string) string {
	_, route, _ := strings.Cut(id, ".")
	return route
}
