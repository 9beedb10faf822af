// Package stored is sessions as stores have them: how a session becomes the bytes of a
// [store.Session], and how two of these become one.
//
// # The format
//
// The bytes are of package sessionwire: the version (1), the codec of the values as text,
// and the session as a snapshot, whose touch has no remaining time. All that merging needs is
// in it: versions, marks, the shares of counters, the names that were removed last.
//
// # Time
//
// A store knows when the session was last in use by the clock of the node that has told it,
// and nothing newer than an interval, see [Slack]. So what it keeps as the timeout is that
// much longer than the timeout of the session.
//
// If the clock of a machine is set forward, sessions that it loads seem unused for that much
// longer, and may have expired; if it is set back they live that much longer. Those in memory
// are not concerned: their time is counted, not read.
package stored
