// Package bubble runs tests in bubbles of testing/synctest, and simulations in bubbles whose
// chance comes from a seed ([Seeded]).
//
// [Test] exists for the race detector. In Go 1.26 all timers of a bubble fire in one race
// context, and two threads may fire two of them at the same time: one because the clock of
// the bubble moved, the other because somebody looks at a channel whose time has come.
// Nothing guards the context, and the runtime of the detector crashes (SIGSEGV, or a race
// reported inside the runtime). Timers of equal times suffice, and simulated members have
// many. As long as a bubble runs under the detector, Test therefore lets the process
// use one processor: the detector finds races by the order of events, so that it finds
// the same ones.
package bubble
