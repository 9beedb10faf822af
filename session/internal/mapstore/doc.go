// Package mapstore is a store of sessions in the memory of the members of a group: a
// [store.Store] on a map of package replmap.
//
// # How a save is decided
//
// A save is one conditional write of the map, so the primary of the id decides it, against
// the version of the session that it replaces. Each save carries an [Once], a random number
// that tells it from all others: who does not know whether a save has taken place, because
// the member that was asked is gone, repeats it with the same number. Where it has taken place already, and not more than a
// few others since, that is success and not a conflict.
//
// The map sends of a session what is different from the save before, so a save costs bytes for
// what has changed. That is found by comparing: the session is encoded whole.
//
// # Splits
//
// Both sides of a partition save. When they meet, Config.Merge makes one session of two
// saves, with a version above both, so that each node finds that its copy is old. A session
// that was deleted on one side is gone: the deletion is kept as an entry for a day. One that
// has merely expired there, because nobody used it on that side, is not. With Config.Backups
// it is gone, too, and a side that was cut off for more than an hour brings back what was
// deleted meanwhile.
//
// # Expiry
//
// An entry lives for what was left of the timeout of its session when it was saved or
// touched, by the clock of that node; it travels as a duration, so clocks of nodes are not
// compared. Each member ends it by itself.
package mapstore
