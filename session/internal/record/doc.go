// Package record is one replicated session as a value: attributes, counters, ids,
// timeout, principal and end, each with the version of the write that made it, and how
// two copies of it become one. It knows no network, no clock and no goroutine: what
// happens is a method call, what is to be told to others is a return value, and time
// is an argument.
//
//	node A                                   node B
//	s.Set("user", v)
//	c := s.Take(now)       ---- c ---->      r, err := s.Merge(c, now)
//	                                         r.Gap or r.Missing?
//	sn := s.Snapshot(now)  ---- sn --->      s.MergeSnapshot(sn, now)
//
// # Versions
//
// A write has the version (counter, node): the counter is one more than the highest
// that the node has seen in this session ([LoginStep] more with a login), and
// a node is one run of a member. Versions
// are compared by counter, then by node. So a write that knew of another wins over it,
// and of two that did not know of each other the same one wins everywhere. No clock of
// one node is ever compared with that of another; how long a session has left travels
// as a duration.
//
// # What a node knows
//
// A session keeps a mark for each node that wrote to it: all writes of that node up to
// this counter are known here, be they there, replaced or removed. A change says which
// interval of its node's counters it holds, (From, To]. If the mark is at From or
// above, the mark moves to To; if not, something is missing in between: the change is
// merged anyway, and Result.Gap asks for a snapshot. A snapshot holds the marks of its
// node; after it is merged, everything that it knew is known.
//
// Marks also answer what a removed name needs. A name that one side has and the other
// does not was removed there if the other side's marks cover the write, and is news if
// not. So names that were removed need not be remembered for ever: only the newest are
// (64 by default), and what that memory decides is no more than which of two writes
// wins that did not know of each other. Beyond it a write that did not know of the
// removal survives it, on all nodes; one that the removal knew of never comes back.
//
// # Parts
//
//   - An attribute is replaced as a whole: the higher version wins.
//   - A number can also be added to. Each node has a share of the number, the sum of
//     its own Adds, which nobody else changes; of two copies of a share the one with the
//     higher counter is the newer. Shares belong to one version of the number: Set,
//     SetNumber and Delete begin a new one, and Adds that they did not know of are
//     replaced with the rest. A number that nobody has set begins at the zero version,
//     so that nodes that add to a new name at the same time add to the same number.
//     A name holds bytes or a number, never both.
//   - The newest ids lead to the session (3 by default); the newest is the current
//     one. So if two nodes give it new ids at the same time, all agree on the current one
//     and the client that got the other one is not lost.
//   - Timeout and principal: the higher version wins.
//   - The end wins over everything, also over writes that did not know of it. The
//     content is dropped at once. A key is never used again.
//   - The touch, when the session was in use, is the only part that is not compared:
//     it is not in the digest, and a lost one is made good by the next.
//
// # What is promised
//
// Merging is commutative, associative and idempotent; a change may come at any time, in
// any order, repeatedly. When all changes have arrived, or snapshots went both ways until
// the digests are equal, all nodes have the same. A write is there, or one of a higher
// version has replaced or removed it. Each Add is counted once as long as its number is
// not replaced. What was written here and not taken is not touched by a merge, unless a
// higher version or the end replaces it.
//
// # Limits
//
// [Limits] bounds what a node may write. A merge takes up to four times as much, for
// what several nodes write at the same time. Marks and the shares of a number are bounded
// by Limits.Nodes. Each run of a member that has added to a number leaves a share of 24
// bytes in it, and each that has written to the session a mark of 16, as long as the
// session lives: the share of a run that is over cannot be folded into another one without
// the consent of all nodes, and the sum needs it. A Set begins without shares.
//
// A counter of another node is refused if it is more than [MaxStep] above what is known,
// and above 2^61 for a session of which nothing is known. So a forged counter costs no
// session its numbers: writes go on, and win. Two contents of one version, which no
// honest node makes, come out the same everywhere. A member that lies about what others
// have written, in the marks of a snapshot, can still suppress writes of a session, as it
// can end the session: whoever is in the group is trusted that far.
//
// # Memory
//
// A replica of a session with one attribute of 16 bytes takes 320 bytes of heap: 192 for
// the Session, 64 for the entry, 16 for the value, 48 for the id. Names are shared by all
// sessions of the process. What few sessions have (marks of more nodes, older ids,
// principal) is allocated when it is needed.
//
// # Caveats
//
//   - A Session is locked by its owner.
//   - Who hands a change to Merge has checked that it comes from its Origin.
//   - Values are shared, not copied: never modify one that was given to Set or that
//     came from Get, Take or Snapshot. Merge alone copies, since its input is a buffer.
//   - A node that drops a session and takes it from others again forgets what it wrote
//     and did not deliver. If there may be such writes it must come back under another
//     member ID.
//   - Expiry is a decision, not a fact: [Session.Expired] says what one node knows. An
//     End by a node that is cut off from the others ends a session that may be in use
//     there.
package record
