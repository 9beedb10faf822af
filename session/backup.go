package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/session/internal/mapstore"
	"github.com/gotribes/tribes/session/internal/persist"
	"github.com/gotribes/tribes/session/internal/stored"
)

// Backup makes a manager share its sessions with the members of a group that have a manager
// of the same name, each session on some of them: on its primary and on as many backups as
// configured, as Tomcat's BackupManager does. All nodes know all sessions by id and serve
// every one; a request on a node that does not have the session gets it from one that does.
// It is for more nodes than a [Cluster] can have, where all have everything.
//
// Before a response leaves, what its request has changed is where Wait says. Requests of one
// session on several nodes at the same time are merged, and no write of either is lost. What
// is not saved gets 503, as with [Fail]. Negative durations are errors.
type Backup struct {
	// Group is the member of the group. It must run before [Manager.Start], and be
	// stopped after [Manager.Close]. Several managers can share it. Required.
	Group *group.Group
	// Name is that of the application, the same on all nodes, at most 150 bytes.
	Name string
	// Backups is how many other nodes have each session; 0 means 1, at most 100. The same on
	// all nodes.
	Backups int
	// Wait says what a response promises when it leaves: with WaitAll that all backups have
	// what its request has changed, and all other nodes know where it is; with WaitOne that
	// one other node has it. WaitWritten is an error.
	Wait Wait
	// Budget is how long a node may be silent while responses wait for it; 0 means
	// 500 ms. Then it is left out, which is logged and counted, and brought up to date
	// before it counts again.
	Budget time.Duration
	// MemoryAfterIdle is how long a session that is not used stays in the memory of the node
	// that has served it, beside where it is kept; 0 means a minute.
	MemoryAfterIdle time.Duration
	// TouchInterval is the least time between two messages that tell the others that a
	// session is in use; 0 means 10 s, and it is a quarter of the session's timeout at most.
	// A session lives that much longer than its timeout there.
	TouchInterval time.Duration
	// MaxData is the most bytes that a session may have, encoded; 0 means 16 MiB, at most
	// 48 MiB.
	MaxData int
	// Logger is told of nodes that come, go and do not answer; nil discards. It should not
	// be nil.
	Logger *slog.Logger
}

// withDefaults returns b with defaults in place of zeros.
func (b Backup) withDefaults() *Backup {
	def(&b.Backups, 1)
	def(&b.MemoryAfterIdle, time.Minute)
	def(&b.TouchInterval, 10*time.Second)
	def(&b.MaxData, mapstore.DefaultMaxData)
	if b.Logger == nil {
		b.Logger = slog.New(slog.DiscardHandler)
	}
	return &b
}

func (b *Backup) validate() error {
	var all []error
	check := func(bad bool, format string, args ...any) {
		if bad {
			all = append(all, fmt.Errorf("tribes: session: backup: "+format, args...))
		}
	}
	_, waits := mapWaits[b.Wait]
	check(b.Group == nil, "no group")
	check(len(b.Name) > mapstore.MaxName, "name of %d bytes, want at most %d", len(b.Name), mapstore.MaxName)
	check(b.Backups < 0, "%d backups, want 1 or more", b.Backups)
	check(!waits, "wait mode %v: want all, one or none", b.Wait)
	check(b.Budget < 0 || b.MemoryAfterIdle < 0 || b.TouchInterval < 0, "negative duration")
	check(b.MaxData < 0 || b.MaxData > maxStoreData, "MaxData %d: want 1 to %d", b.MaxData, maxStoreData)
	return errors.Join(all...)
}

// backupTimeout is how long a session may take to be loaded or saved: long enough that a
// member that has crashed is found out meanwhile.
const backupTimeout = 10 * time.Second

// newBackup makes the store of Config.Backup, and the Persist that keeps the sessions there.
func (m *Manager) newBackup() error {
	b := m.config.Backup
	s, err := mapstore.New(mapstore.Config{
		Group: b.Group, Name: "backup:" + b.Name, Backups: b.Backups, Wait: mapWaits[b.Wait], Budget: b.Budget,
		MaxData: b.MaxData, Merge: stored.Merge, Logger: b.Logger,
	})
	if err != nil {
		return err
	}
	m.backup = s
	m.config.Persist = Persist{
		Store: s, EachRequest: true, Check: true, OnError: Fail, Timeout: backupTimeout, Calls: backupCalls,
		SwapAfterIdle: b.MemoryAfterIdle, TouchInterval: b.TouchInterval, Logger: b.Logger,
	}.withDefaults()
	return nil
}

// backupCalls is how many loads and saves there are at a time: most of them take no longer
// than a round trip, and the others must not be in their way.
const backupCalls = 512

// unless keeps requests away while the sessions cannot be found.
type unless struct {
	persist.Inner
	m *Manager
}

// Usable implements backend.
func (u unless) Usable() error {
	if err := u.Inner.Usable(); err != nil {
		return err
	}
	if !u.m.backup.Ready() {
		return ErrNotReady
	}
	return nil
}

// startBackup joins the other nodes.
func (m *Manager) startBackup(ctx context.Context) error {
	err := m.backup.Start(ctx)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
	}
	return err
}

// closeBackup saves what is left and leaves the other nodes.
func (m *Manager) closeBackup() error {
	err := m.keeper.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), backupTimeout)
	defer cancel()
	return errors.Join(err, m.backup.Close(ctx))
}

// BackupStats are numbers of Config.Backup; the last ones since the manager was made. Those
// of saves and loads are in [PersistStats].
type BackupStats struct {
	Sessions int // of all nodes together
	Held     int // of those, the ones that this node has as primary or backup
	Nodes    int // other nodes
	Current  int // of those, the ones that responses wait for

	Alone   uint64 // saves that no other node has, though one should
	LeftOut uint64 // times that a node did not answer and was left out
	Fetched uint64 // sessions that came from another node for a request here
	Moved   uint64 // sessions that came because this node is to have them now; not those it began with
}

// BackupStats returns the numbers of Config.Backup; zeros without.
func (m *Manager) BackupStats() BackupStats {
	if m.backup == nil {
		return BackupStats{}
	}
	s := m.backup.Stats()
	return BackupStats{
		Sessions: m.backup.Len(), Held: s.Held, Nodes: s.Members, Current: s.Current,
		Alone: s.Alone, LeftOut: s.LeftOut, Fetched: s.Fetched, Moved: s.Relocated,
	}
}

// Holds reports whether this node is to have the session that an id leads to, if there is
// one: with Config.Backup as its primary or as a backup. Without, it is always so.
func (m *Manager) Holds(id string) bool {
	return m.backup == nil || m.backup.Holds(storeID(id))
}
