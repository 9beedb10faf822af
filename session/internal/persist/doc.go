// Package persist keeps the sessions of a manager in a store as well as in memory. A
// [Keeper] stands in front of what holds the sessions in memory, alone or with other nodes:
//
//	manager ── Keeper ──► table of this process, or replica.Engine
//	               └────► store.Store
//
// # What is saved, and when
//
// A session is dirty while a change that this node has made is not stored. What other nodes
// have made is theirs to save, so that each change is saved once. What is dirty is saved in
// [Keeper.Commit], by the sweep, when it leaves memory, or at the end, as [Config] says; what
// is not is never saved. Saves of one session go one after the other, and one that others
// wait for takes their changes along.
//
// # Two nodes, one session
//
// A save names the version that it replaces. One that has been overtaken loads what is
// stored, merges, and saves again; the merge of package record loses no write of either
// side. A session that was there and is not any more has ended elsewhere, unless the store
// may have let it expire for want of an access that it was not told of in time, or other
// nodes hold it too: then it is saved anew, with a version that no save before it had.
//
// # Accesses
//
// The store is told of an access at most once in an interval. It keeps sessions, and nodes
// that load one use it, that much longer than its timeout (see package stored). A node that
// has seen a session expire does not load it again unless the store knows of a later access.
//
// # A store that does not work
//
// After three failures in a row calls fail at once, but for one in a second that looks
// whether it works again. Dirty sessions stay in memory and are saved then.
//
// # Caveats
//
//   - Of two nodes that give a session new ids at the same time, without being told by each
//     other, one finds it gone.
//   - A session with values that stay on this node does not leave memory.
package persist
