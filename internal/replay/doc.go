// Package replay makes the go command build programs in which a bubble of
// testing/synctest, once it is given a seed, is the same run each time: see
// [github.com/gotribes/tribes/internal/bubble.Seeded].
//
// What chance has a part in a bubble is in Go's runtime: which case of a select is tried
// first, in which order a map is iterated and timers of one time fire, the numbers of
// math/rand/v2, when a goroutine is preempted, when a mutex hands itself over. [Overlay]
// takes the files of the runtime from the Go release that is installed, changes a few of
// their lines so that a seeded bubble draws from its seed and is not preempted, and has the
// go command build with them instead. A line that is not there, as in another release, is
// an error. Outside of such a bubble only what a process draws when it starts is the same
// each time: the keys of hashes.
//
// Where objects lie in memory still differs from run to run. It shows in the order of a map
// that has had more than eight keys with pointers in them, channels and interfaces of
// pointers among them. Real time that the program asks for, outside of the bubble, differs too.
package replay
