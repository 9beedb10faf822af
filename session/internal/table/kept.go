package table

import (
	"time"

	"github.com/gotribes/tribes/session/internal/record"
)

// Kept is what a node knows of the place that a session has in a store. It belongs to
// package persist and is guarded by Entry.Mu.
type Kept struct {
	ID      string        // what it is stored under; "" if it is not, or nobody knows
	Version uint64        // of what is stored there, as far as is known here; 0: nothing
	Known   bool          // that is known: this node has made, loaded or saved it
	Writes  uint64        // changes that this node has made
	Saved   uint64        // how many of them are stored
	Since   time.Duration // when the first of the others was made

	Accessed time.Duration // the last access that this node knows of, by the table's clock
	Noted    time.Time     // the last one that the store knows of
	Touching bool          // the store is being told of one
	Mark     any           // of what was in the store when it was the same as here; nil: nobody knows

	Settled uint64        // what the record had Written when a save of it did not work
	Tried   string        // id of a first save whose outcome is not known
	TriedAt time.Duration // when that was

	Users    int           // requests that have it
	Busy     chan struct{} // closed when what is done in the store now is over; nil if nothing
	Failed   bool          // the last save did not work
	TooLarge bool          // nor will it before the session has changed
	Lost     bool          // the store does not have it any more, and so it has ended
	Swapped  bool          // the session has left memory: what is in the entry is a copy
	Doomed   []string      // ids that it may be stored under, although it has ended
}

// Adopt merges a session that comes from a store or from another node into the one of its
// key, which it makes if there is none, and keeps the index. If later says so, which it calls
// with the lock of the entry, what was written here since Kept.Settled, and the other does not
// know, comes later: see [record.Session.MergeStored]. Then it calls note, with the lock, and returns the entry.
// With an error nothing has changed.
func (t *Table) Adopt(site *record.Site, sn *record.Snapshot, later func(e *Entry) bool, note func(e *Entry, isNew bool)) (*Entry, error) {
	for {
		e, isNew, err := t.Receive(sn.Key, func() *Entry {
			e := &Entry{Rec: record.New(site, sn.Key)}
			e.Mu.Lock() // nobody else gets hold of it while there is nothing in it
			return e
		})
		if err != nil {
			return nil, err
		}
		if !isNew {
			e.Mu.Lock()
		}
		if e.Gone() {
			e.Mu.Unlock()
			continue
		}
		merge := e.Rec.MergeSnapshot
		if later(e) {
			merge = func(sn *record.Snapshot, now time.Duration) (record.Result, error) {
				return e.Rec.MergeStored(sn, now, e.Kept.Settled)
			}
		}
		err = t.adopt(e, sn, merge)
		if err == nil {
			note(e, isNew)
		} else if isNew {
			t.Remove(e, e.Rec.ID())
		}
		e.Mu.Unlock()
		if err != nil {
			return nil, err
		}
		return e, nil
	}
}

// adopt merges into e and keeps what leads to it. The caller holds e.Mu.
func (t *Table) adopt(e *Entry, sn *record.Snapshot, merge func(*record.Snapshot, time.Duration) (record.Result, error)) error {
	r, err := merge(sn, t.Now())
	if err != nil {
		return err
	}
	for _, ev := range r.Events {
		if ev.Kind == record.IDDropped && Random(ev.Name) != Random(e.Rec.ID()) {
			t.Unname(ev.Name, e)
		}
	}
	return t.Name(e.Rec.ID(), e)
}
