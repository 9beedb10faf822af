// Package replmap is a map that the members of a group share: each that opens a map of the
// same name has all its entries, reads them from its own memory, and writes for all.
//
//	m, err := replmap.New(replmap.Config[string, string]{
//		Group: g, Name: "settings", Keys: replmap.String(), Values: replmap.String(),
//	})
//	...
//	err = m.Start(ctx)                       // returns when the entries are here
//	err = m.Put(ctx, "color", "green")       // returns when the others have it
//	color, there, err := m.Get(ctx, "color")
//
// # What it promises
//
// A write has a version, higher than all that its member has seen in the map; of two
// writes to a key the one with the higher version stays, on every member. So as long as
// members hear each other they have the same entries, whatever was lost, repeated or
// overtaken on the way; and members that were cut off from each other have the same a
// moment after they have met again. Both sides of a partition can be read and written.
// What was written to one key on both sides without knowledge of each other is one of the
// two values then, or what Config.Resolve makes of them.
//
// Put and Delete return when the other members have the write, as Config.Wait says. A
// member that does not answer for Config.Budget is not waited for; it is repaired before it
// counts again.
//
// CompareAndSwap, PutIfAbsent, CompareAndDelete and Update are decided by the key's
// primary. Every key has one, as long as a member is ready: of the members that are, the one
// that weighs most for the key by a hash, so that keys move only from who leaves and to who
// joins. While members come and go, two can take themselves for the primary; then the
// merge decides.
//
// # How members come to be the same
//
// A write goes from its member to all others, once. A member that starts gets all entries
// from another, in blocks of bounded size, each when it asks for it; if the other dies or
// does not answer it goes on where it was with the next. Writes go on meanwhile. And now
// and then, and whenever two members have met again, they compare sums of 256 parts of the
// map, then the digests of what differs, and exchange that.
//
// Package replmap/internal/entry has the merge, replmap/internal/mapwire the bytes.
//
// # Caveats
//
//   - Memory: each member has everything, and remembers deletions for Config.Remember.
//   - Whoever is in the group is trusted: a member that lies about versions can suppress
//     writes.
//   - A member that cannot see the others at its start is ready with nothing, after
//     Config.Discover: that it is cut off cannot be told from being alone.
//   - A write that no other member has when its member crashes is lost. Stats.Alone counts
//     those that were made without another member.
package replmap
