// Package store is what the stores of sessions have in common: a place outside of the
// processes that serve requests, such as a database, in which sessions are kept whole.
//
// A [Store] knows nothing of what a session is. It keeps bytes under an id, with a version
// and with when they may be thrown away. Two nodes that save one session at the same time do
// not overwrite each other: a save names the version that it replaces, and one that has been
// overtaken fails with [ErrConflict]; its node loads, merges and saves again.
//
// The packages below this one, and those under contrib/, are stores; package
// session/sessiontest has the tests that each passes.
package store
