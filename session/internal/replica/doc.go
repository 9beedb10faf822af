// Package replica keeps the sessions of one manager the same on all nodes of a group
// that have it: the manager that gives every node every session.
//
//	request ── Commit ── change ──► each peer ── merge ── ack ──► response
//
// # Peers
//
// A peer is a member of the group that has introduced itself as having the same manager.
// Package peers says which of them commits wait for, how one that was silent is caught up,
// and whom a node that starts gets all sessions from.
//
// # How nodes come to be the same
//
// A change goes from the node that made it to all others, once. What is missing shows:
// a change says which writes of its node it follows, and a session of which something is
// missing is fetched whole, and not shown before. A node that starts gets all sessions
// from a peer that has them, in blocks, and before them what has ended. And from time to
// time, and after a peer was silent or a partition has healed, two nodes compare sums of
// all sessions and exchange those that differ. Package record has the merge that makes the
// order of all this irrelevant.
//
// # The end of a session
//
// An invalidation wins over everything and is remembered for as long as the session
// could have lived. An expiry does not: it says up to which access the node knew the
// session, and a node that knows of a later one keeps the session and gives it back. So
// after a partition no side ends sessions that are in use on the other.
//
// # Caveats
//
// A node that drops a session by expiry while it holds writes that no other node has, and
// gets the session back, may write under a version that it has used before. The nodes
// still come to be the same; one of the two writes is lost.
package replica
