// Package storewire has the bytes of the calls by which a node that holds no sessions uses
// those that do: a [Request] and its [Answer]. docs/wire.md describes them.
//
// What is decoded borrows nothing, and nothing of it is larger than the bytes it came from.
package storewire
