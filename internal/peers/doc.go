// Package peers knows which members of a group have the same thing, a map or a manager of
// sessions, how far each of them is, and for which of them writes wait.
//
//	member ── introduced ──► catching ──────► current      writes wait for it
//	                          │     ▲            │
//	               no answer  │     │ answers    │  no answer for Config.Budget
//	                          ▼     │            │
//	                         silent ◄────────────┘
//
// A member is a peer when it has introduced itself, which says that it has the thing. Members
// greet each other until both have heard, so that no loss and no failure that only one of
// them has seen keeps them apart. Who was silent and answers again is compared with before it
// is current.
//
// A member that starts gets everything from a peer that has it. Of several that start
// together, the first by its id is ready, and the others get what it has.
//
// What the peers say to each other is not known here: the owner of a [Set] says what a
// greeting is, how everything is loaded, and how two are made the same.
package peers
