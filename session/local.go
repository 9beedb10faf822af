package session

import (
	"context"
	"crypto/rand"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/table"
)

// local keeps sessions in the memory of this process.
type local struct {
	*table.Table
	site *record.Site
}

func newLocal(c *Config, expire func(*held)) *local {
	return &local{
		Table: table.New(table.Config{Max: c.Limits.Sessions, Every: c.Sweep, Expire: expire, Keyed: c.Persist != nil}),
		site:  record.NewSite(membership.NewID(), c.Limits.record(), false),
	}
}

func (l *local) Create() *held { return &held{Rec: record.New(l.site, newKey())} }

// newKey returns the key of a new session.
func newKey() (k record.Key) {
	rand.Read(k[:]) // never fails
	return k
}

func (l *local) Usable() error { return nil }

func (l *local) Peek(id string) *held { return l.Table.Find(id) }

func (l *local) Find(_ context.Context, id string) (*held, error) { return l.Table.Find(id), nil }

func (l *local) Accessed(*held) {}

// Wrote drops what a group would be told, so that it does not add up.
func (l *local) Wrote(h *held) { h.Rec.Take(l.Now()) }

func (l *local) Renamed(h *held, old string) {
	if table.Random(old) != table.Random(h.Rec.ID()) { // else requests must find it all the time
		l.Unname(old, h)
	}
	if !h.Gone() && l.Name(h.Rec.ID(), h) != nil {
		l.Remove(h) // closed in between
	}
}

func (l *local) End(h *held, why record.Reason) error {
	id := h.Rec.ID()
	if err := h.Rec.End(why); err != nil {
		return err
	}
	l.Wrote(h)
	l.Remove(h, id)
	return nil
}

func (l *local) Commit(context.Context, *held) error { return nil }

// Adopt takes a session that comes from a store.
func (l *local) Adopt(sn *record.Snapshot, later func(h *held) bool, note func(h *held, isNew bool)) (*held, error) {
	return l.Table.Adopt(l.site, sn, later, func(h *held, isNew bool) {
		note(h, isNew)
		h.Arm(l.Now(), 0)
	})
}

// Evict drops a session that is in a store. The caller holds h.Mu.
func (l *local) Evict(h *held) { l.Remove(h, h.Rec.ID()) }
