// Package entry is the pure part of a replicated map: entries, their versions, the rule
// that merges two states of one entry, and the table of a replica. It knows no network
// and no goroutine.
//
// # Versions
//
// A version is a counter and the member that wrote. A member counts on from the highest
// counter that it has seen in the map, so a write has a higher version than everything
// its writer knew. Versions are compared by counter, then by member id; no clock is asked.
//
// # The merge
//
// Of two states of an entry the one with the higher version stays ([Merge]). That is the
// same whatever the order and however often, so replicas that have heard the same have
// the same. A deletion is a state too: it is kept as a tombstone for a while, so that a
// replica that missed it does not bring the entry back. The end of a lifetime is a
// deletion without a version of its own: a write that knew nothing of it wins over it.
//
// With a [Resolver] an entry also has marks: the last write of each member that is in
// it. Two states of which neither has all marks of the other were written without
// knowledge of each other; then the resolver makes one value of both, on each replica by
// itself.
//
// # Caveats
//
//   - A resolver is given two states only. If one side has replaced a value that the other
//     has already merged, parts of the replaced one can come back. Replicas are equal all
//     the same: if the results differ, the greater by its bytes stays.
//   - Of the marks of an entry the 64 with the highest counters are kept. A state that
//     only differs in older ones counts as written without knowledge.
//   - A replica that was away for longer than tombstones are kept brings back what was
//     deleted meanwhile and not written since.
//   - Values are shared, not copied. Whoever hands one in gives it away.
package entry
