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
// # Values on some members
//
// With Config.Backups, a number of at least 1, not every member has every value. The value of
// an entry is on its primary and on as many backups: those that weigh most for the key, so
// nobody has to remember where it is. All others have a proxy, which is everything but the
// value: Len, Has, Version, Keys, Delete, lifetimes and Watch work on every member without
// asking another; Get, Update and All ask one that has the value.
//
//	m, err := replmap.New(replmap.Config[string, []byte]{
//		Group: g, Name: "files", Keys: replmap.String(), Values: replmap.Bytes(), Backups: 1,
//	})
//	...
//	b, version, there, err := m.GetVersion(ctx, "logo") // from this member, or one that has it
//	...
//	if now, there := m.Version("logo"); there && now == version {
//		// b is still the value, and nobody was asked
//	}
//
// When a member joins, leaves or crashes, the members that are to have a value now get it
// from those that have it, in blocks of bounded size; who is to have it no longer keeps it
// until they say that they have it. Close hands over what only few others have. If more
// members crash at the same time than there are backups, or are on the other side of a
// partition, what needs the value fails with ErrNoHolder; Put and Delete do not, unless it is
// to be resolved with what they write (Config.Resolve).
//
// # With Java nodes
//
// With Config.[Tribes] a map is one of Tribes' ReplicatedMap, or with Tribes.Lazy of its
// LazyReplicatedMap, together with Java nodes. It promises what those can: the last message
// to arrive wins, there are no conditional writes and no lifetimes, and none of what follows
// here. Among members of this module a map without it is the better one.
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
//   - Memory: each member has everything, or with Config.Backups all keys and some values,
//     and remembers deletions for Config.Remember.
//   - Whoever is in the group is trusted: a member that lies about versions can suppress
//     writes.
//   - A member that cannot see the others at its start is ready with nothing, after
//     Config.Discover: that it is cut off cannot be told from being alone.
//   - A write that no other member has when its member crashes is lost. Stats.Alone counts
//     those that were made without another member.
package replmap
