// Package tribeswire has the messages of Tribes' replicated maps (ReplicatedMap and
// LazyReplicatedMap) as Java objects; docs/wire.md, section Replicated maps, has the
// layout.
//
// A message is decoded into data only. Keys and values stay streams of their own, which
// nobody has to understand to keep them and pass them on.
//
// # Caveats
//
//   - Key and value of a decoded message alias the bytes that it was decoded from.
//   - Java refuses members of another class version than its own: Message.Class must fit
//     the release of the peers.
//   - Two streams of one key are one key here only if their bytes are equal. That is so for
//     strings and boxed numbers.
package tribeswire
