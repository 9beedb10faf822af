package replmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/group"
)

// Config is how a [Map] is set up. [New] fills in defaults for what is zero.
type Config[K comparable, V any] struct {
	// Group is the member of the group. It must run before [Map.Start], and be stopped
	// after [Map.Close]. Several maps can share it. Required.
	Group *group.Group
	// Name is that of the map, the same on all members, 1 to 200 bytes.
	Name string
	// Keys and Values are the codecs, the same on all members. Required.
	Keys   Codec[K]
	Values Codec[V]

	// Backups is how many members beside the primary have the value of an entry; all
	// others have a proxy of it: all but the value, which Get fetches. The members are those
	// that weigh most for the key by a hash ([Map.Holders]). 0 means that all members have
	// all values. The same on all members.
	Backups int

	// Wait says what a write promises when it returns.
	Wait Wait
	// Budget is how long a member may be silent while writes wait for it; 0 means 500 ms.
	// Then it is left out, which is logged and counted, and repaired before it counts
	// again.
	Budget time.Duration

	// Resolve makes one value of two that were written without knowledge of each other:
	// during a partition, or at the same time. nil means that the one with the higher
	// version stays. A nil argument says that the entry was deleted there, a nil result
	// deletes it. Each member calls it by itself, so the result must depend on nothing but
	// the arguments; b is the one with the higher version. It must not call the map. All
	// members of a map must have such a function, the same one, or none. With Backups the
	// members that are to have the value call it, when they have both values; if one of the
	// two is on no member that answers for ten times Repair, the other stays.
	Resolve func(key K, a, b *V) *V

	// Load is asked by Get for an entry that is not there, on the member that reads; what
	// it returns is put into the map unless an entry has come meanwhile. Store is told each
	// write before it takes place, on the member that makes it (that of a conditional write
	// is the primary); nil says that the entry is deleted. An error prevents the write.
	// Calls for one key come one after the other on one member. Lifetimes that end are not
	// told.
	Load  func(ctx context.Context, key K) (V, bool, error)
	Store func(ctx context.Context, key K, value *V) error

	// MaxKey and MaxValue are the longest keys and values in bytes; 0 means 64 KiB and
	// 16 MiB. They bind writes of this member, not what it takes from others.
	MaxKey, MaxValue int
	// Remember is how long a deletion is remembered; 0 means 24 h. A member that was cut
	// off for longer brings back what was deleted meanwhile.
	Remember time.Duration
	// Discover is how long a member that sees nobody looks for others at its start; 0
	// means 300 ms. Stall is how long a state transfer, a comparison or a conditional write
	// may wait for an answer; 0 means 3 s. Repair is the time between two comparisons with
	// another member; 0 means 30 s.
	Discover, Stall, Repair time.Duration
	// BlockEntries and BlockBytes bound a message of a state transfer or a repair; 0 means
	// 1000 entries and 256 KiB. A message has one entry more than there are bytes for.
	BlockEntries, BlockBytes int

	// Tribes makes the map one of Tribes' ReplicatedMap or LazyReplicatedMap. nil is a map of
	// this module, which is the better one where no Java node is to have it. With it there are no conditional
	// writes and no lifetimes ([errors.ErrUnsupported]), no Resolve, and the fields from
	// Remember on mean nothing but Discover.
	Tribes *Tribes

	// Logger is told of members that come, go and do not answer; nil discards.
	Logger *slog.Logger
}

// Wait says what a write promises when it returns without an error: that other members
// have applied it. A member that has no other to tell, or none that answers, goes on
// alone; that is counted in Stats.Alone.
//
// With Config.Backups a write goes to the members that are to have the value first, and
// when they have it to the others. WaitAll waits for both, so the value survives that as
// many members crash at the same time as there are backups. WaitOne waits for one member
// that is to have the value; the member that writes keeps it until all have it, so the
// value survives that any one member crashes.
type Wait uint8

// The modes of Config.Wait.
const (
	WaitAll  Wait = iota // all other members have applied it
	WaitOne              // one other member has
	WaitNone             // nothing
)

// String returns all, one or none.
func (w Wait) String() string {
	if int(w) < len(waitText) {
		return waitText[w]
	}
	return "unknown"
}

var waitText = [...]string{"all", "one", "none"}

// settings are the part of a Config that has nothing to do with types.
type settings struct {
	group                           *group.Group
	name, codecs                    string
	wait                            Wait
	budget, discover, stall, repair time.Duration
	blockEntries, blockBytes        int
	minDiff                         int // bytes of a value of which differences are sent
	backups                         int
	resolves                        bool
	log                             *slog.Logger
}

const (
	defaultMaxKey   = 64 << 10
	defaultMaxValue = 16 << 20
	defaultMinDiff  = 2 << 10
	maxName         = 200
	maxBackups      = 100
)

// settings checks the Config and fills in defaults. The error joins all problems.
func (c *Config[K, V]) settings() (settings, error) {
	var all []error
	check := func(bad bool, text string) {
		if bad {
			all = append(all, errors.New("tribes: replmap: "+text))
		}
	}
	check(c.Group == nil, "no group")
	check(c.Name == "" || len(c.Name) > maxName, fmt.Sprintf("name of %d bytes, want 1 to %d", len(c.Name), maxName))
	check(c.Keys == nil, "no codec of keys")
	check(c.Values == nil, "no codec of values")
	check(c.Wait > WaitNone, "unknown wait mode")
	check(c.Backups < 0 || c.Backups > maxBackups, fmt.Sprintf("%d backups, want 0 to %d", c.Backups, maxBackups))
	check(min(c.Budget, c.Remember, c.Discover, c.Stall, c.Repair) < 0, "negative duration")
	check(min(c.MaxKey, c.MaxValue, c.BlockEntries, c.BlockBytes) < 0, "negative limit")
	check(c.BlockEntries > 1<<20, "BlockEntries: want 0 to 1048576")
	check(c.BlockBytes > 16<<20, "BlockBytes: want 0 to 16777216")
	if c.Tribes != nil && c.Keys != nil && c.Values != nil {
		var k K
		var v V
		check(!isJava(c.Keys.Append(nil, k)) || !isJava(c.Values.Append(nil, v)), "a map of Tribes needs codecs of Java objects, such as JavaString")
	}
	check(c.Tribes != nil && c.Resolve != nil, "a map of Tribes has no Resolve")
	check(c.Tribes != nil && c.Backups > 0, "a map of Tribes has no Backups")
	if err := errors.Join(all...); err != nil {
		return settings{}, err
	}
	setDefault(&c.MaxKey, defaultMaxKey)
	setDefault(&c.MaxValue, defaultMaxValue)
	setDefault(&c.Remember, 24*time.Hour)
	s := settings{
		group: c.Group, name: c.Name, codecs: c.Keys.Name() + "/" + c.Values.Name(),
		wait: c.Wait, budget: c.Budget, discover: c.Discover, stall: c.Stall, repair: c.Repair,
		blockEntries: c.BlockEntries, blockBytes: c.BlockBytes, resolves: c.Resolve != nil, log: c.Logger,
		backups: c.Backups, minDiff: defaultMinDiff,
	}
	if c.Backups > 0 {
		s.codecs += fmt.Sprintf(" +backups=%d", c.Backups)
	}
	setDefault(&s.budget, 500*time.Millisecond)
	setDefault(&s.discover, 300*time.Millisecond)
	setDefault(&s.stall, 3*time.Second)
	setDefault(&s.repair, 30*time.Second)
	setDefault(&s.blockEntries, 1000)
	setDefault(&s.blockBytes, 256<<10)
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("map", c.Name)
	return s, nil
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
