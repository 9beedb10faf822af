// Package table holds the sessions of one manager on one node in memory: each is an
// [Entry], which a [Table] finds by the ids of clients and by the key that the session
// has in the group. The table sweeps out what has expired; what that means is decided by
// its owner.
//
//	t := table.New(table.Config{Max: 1000, Every: 10 * time.Second, Expire: end})
//	e := &table.Entry{Rec: record.New(site, key)}
//	...
//	err := t.Add(e, id)
//	e = t.Find(id)
//
// # Locks
//
// The lock of an entry guards what is in its session and may be held while the table is
// called. The locks of the table are its own and held for an access to a map only.
package table
