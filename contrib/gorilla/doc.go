// Package gorilla is a store for github.com/gorilla/sessions that keeps sessions in a
// [session.Manager]: on all nodes of a group, or wherever else the manager has them. A program
// that uses gorilla/sessions changes one line:
//
//	store := gorilla.New(manager) // was sessions.NewCookieStore(key)
//	...
//	s, err := store.Get(r, "cart")
//	s.Values["items"] = 3
//	err = s.Save(r, w)
//
// # What is as before
//
// Sessions by name, each with a cookie of its own; Options, of the store and of a session;
// flashes; types of values that are registered with encoding/gob. MaxAge above 0 is how long
// cookie and session live after the last Save; 0 is a cookie that ends with the browser and a
// session that lives for [Store].Unaged; below 0 Save deletes both. The handler of the manager
// is not needed, and sessions of the two kinds do not mix.
//
// # What is different
//
// The cookie has a random id and nothing else, so there are no keys. An id that leads nowhere
// is never adopted, and one leads to a session of its name only. The cookie is Secure if
// Options say so or the request came over TLS.
//
// Save returns when the session is as safe as the manager promises, for instance on all nodes
// that answer. Its error means that the client should not be told that all went well.
//
// Of requests of one client that run at the same time none undoes what another has done: Save
// stores the values which this request has changed, added and deleted, key by key, and takes the
// others over into Values. Of two that change the same key the last Save wins; flashes of one
// key are one value. That holds within a node. Of two Saves on two nodes at the same time one
// may win as a whole: send a client to the same node while it is there.
//
// A session that another request has deleted is not brought back: Save fails with
// [session.ErrEnded]. Setting ID to "" before Save gives the session a new id and ends the
// old one: do so at login.
//
// # Caveats
//
//   - Values are changed if they are not what was loaded by reflect.DeepEqual: one that holds
//     what encoding/gob does not keep always is.
//   - Limits.ValueBytes of the manager bounds a session, 1 MiB if nothing is said.
//   - Timeout of the manager has no part in it, and reading is no access.
package gorilla
