// Package memcached keeps sessions in memcached, or in a Hazelcast cluster that speaks its
// protocol: a [store.Store].
//
//	sessions, err := memcached.New(memcached.Config{
//		Servers: []string{"10.0.0.1:11211", "10.0.0.2:11211"},
//		Prefix:  "shop:",
//	})
//
// # What is stored
//
// A session is one item, whose key is the prefix and the id: 25 bytes with version, last
// access and timeout, and the session. [Store.Save] reads the item and replaces it by cas, on
// the same connection, so that of two saves of one version one fails with ErrConflict. A touch
// writes the whole item again: the engine's own touch would not keep the time of the access.
// There are no list of ids and no Rename.
//
// Each session is on one of the servers, by its id. A server that is added or taken away moves
// the sessions of one server's share, that is: they are not found any more; all others stay.
//
// memcached removes what has expired by itself, up to two seconds late. How long a session has
// from now on is counted by the node that saves or touches it, so the clock of the server need
// not be right; above 30 days memcached wants a date, and dates after January 2038, which it
// does not know, are for ever.
//
// # What is promised
//
// memcached is a cache. A server that restarts has lost its sessions. One whose memory is full
// throws away what was not used for long; with its option -M it refuses saves instead, which
// are errors then, and keeps what it has. To the nodes a session that was thrown away looks
// like one that was deleted: Load says ErrNotFound, and a save ErrConflict. So give it memory
// for all sessions, or keep what must stay in another store.
//
// A server that is down or does not answer is an error, never ErrNotFound, and ends no later
// than ctx or [Config].Timeout. No other server takes its sessions over.
//
// # Hazelcast
//
// Members of Hazelcast 5 speak the protocol of memcached if memcache-protocol is enabled in
// their network configuration, with two differences: they have no cas, and all of them have
// all sessions. [Config].Hazelcast is for them:
//
//   - Any of Servers that can be reached serves any session: a call tries one after the other,
//     each for its part of the time, and one that could not be reached last for five seconds.
//     For one that can be reached but does not answer no other steps in, until the cluster and
//     the network drop it. Sessions are in the map hz_memcache_NAME, NAME being the prefix up to
//     its first ':'. How many copies there are is a setting of that map (backup-count, 1 if
//     nothing is said).
//   - In place of cas a save takes a lock: a second item beside the session that add makes, of
//     which there is one whoever makes it. So saves of all nodes exclude each other, and one
//     that was overtaken fails with ErrConflict. This is not as strong as cas: of two saves at
//     the same time one may be lost, without an ErrConflict, when a node stands still for more
//     than five seconds between its check and its write, or when the cluster itself loses or
//     doubles the lock, as it may in a split or when more members fail than there are copies.
//   - A node that dies in the middle of a save leaves the lock: saves of that session fail
//     until it expires, ten seconds at most. Loads do not wait.
//   - Save, Touch and Delete take four requests in place of two.
//
// # Security
//
// The protocol has neither passwords nor TLS of its own: keep the servers inside a trusted
// network, or let [Config].Dial go through TLS.
package memcached
