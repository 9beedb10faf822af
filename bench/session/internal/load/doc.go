// Package load is the load generator for the contract of package web, and the
// bookkeeper of what the nodes lose.
//
// Each connection is a goroutine that sends one request after another to the node of
// its sessions, or to all nodes in turn. A writer raises the tag of an attribute by one
// with each acknowledged write, so that each reply tells what has been lost.
//
// # What is counted
//
//   - lost session: a request with a cookie made a new session. Its updates are not
//     counted again.
//   - lost update: an acknowledged one of this writer that its next write, or for
//     counters the final value, did not find.
//   - stale read: a read that shows an older tag than the last acknowledged one.
//   - stale attribute: at rest, a node's copy is older than the last acknowledged
//     write, or not there.
//   - differing replica: at rest, nodes have different tags of an attribute.
//   - late: a change that another node did not have after two seconds.
//
// Workloads that send the requests of one session to all nodes in turn need nodes that
// leave its id alone. One that binds the session to itself, as Tomcat does with the valve
// JvmRouteBinderValve, changes the id, and every request that is on its way with the old
// one makes a new session: 16 to 30 in a window, all of them counted as lost.
//
// At rest means up to three seconds after the last request; at most 500 attributes are
// looked at, spread over all sessions.
package load
