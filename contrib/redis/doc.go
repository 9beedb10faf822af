// Package redis keeps sessions in Redis or Valkey: a [store.Store] over a client of
// github.com/redis/go-redis, for one server, one behind Sentinel, or a Redis Cluster.
//
//	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:6379"})
//	sessions, err := redis.New(client, redis.Config{Prefix: "shop:"})
//
// # What is stored
//
// A session is one hash, whose key is the prefix and the id, with the fields v (the version),
// a (last access, ms since 1970), t (timeout, ms), d (the session) and n (random, of the last
// save). One key lies on one node of a Redis Cluster, and a script changes it in one step:
// [Store.Save] looks at the version and replaces the session, and a save that the client
// repeats because the answer was lost is recognized and not taken for a conflict. There is no
// Rename: in a Redis Cluster the old key and the new one lie on different nodes.
//
// Redis removes what has expired by itself. How long a session has from now on is counted by
// the node that saves or touches it, so the clock of the server need not be right.
//
// # What is promised
//
// What happens to a save that has returned nil when the server dies is up to the server: with
// appendonly yes and appendfsync always it is there when the server comes back; with everysec
// that of the last second is lost, with snapshots that of minutes. Replication is
// asynchronous: a failover by Sentinel or Cluster loses what the replica had not received.
// [Config].Replicas waits for acknowledgements of replicas, which makes that unlikely, though
// not impossible. After such a loss the store has an older version of a session; the next
// save of a node that has the newer one is told so by ErrConflict.
//
// A server that is down, does not answer, or is full is an error, never ErrNotFound, and ends
// no later than ctx or [Config].Timeout, whatever the timeouts of the client are.
//
// # Settings of the server
//
//   - maxmemory-policy noeviction. Then a full server refuses saves (an error that has OOM in
//     it) and keeps what it has. With any other policy it throws sessions away when memory is
//     short, and users are logged out.
//   - appendonly yes; appendfsync as above.
//   - The client must read from masters: one with ReadOnly, RouteByLatency or RouteRandomly
//     gets old versions.
//   - A user of its own needs +@read +@write +@scripting +@connection, and +wait with Replicas,
//     on the keys of the prefix.
package redis
