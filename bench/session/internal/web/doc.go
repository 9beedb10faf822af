// Package web is the client side of the contract that every measured session
// store speaks: a plain HTTP/1.1 connection that is kept open, replies that are
// read by hand, and the session cookie.
//
// # The contract
//
// A reply has status 200 and a JSON object with at least "node". The client sends
// back the newest Set-Cookie pair; its value is the id of the session.
//
//	GET  /whoami                          who answers; makes no session
//	GET  /ready                           200 if the node may get requests; 404 if it does not tell
//	PUT  /attr?name=N&size=S&tag=T        set an attribute; reply: new, prev (its tag before)
//	PUT  /attr?...&count=C                the same for N0, N1, ...
//	PUT  /attr?name=N, with a body        set N to the body, which begins with a tag and a bar
//	GET  /attr?name=N                     reply: found, size, tag
//	POST /incr?name=N                     add one; reply: new, value
//	POST /invalidate                      end the session
//	GET  /session?id=I[&name=N]           the node's own copy; reply: found and size, tag or attrs
//	GET  /stats[?gc=1]                    reply: sessions, known, heap, rss, cpu_us
//
// # Why not net/http
//
// The load generator shares the processors with what it measures, so what it
// needs itself is taken from the figures. On the machine this was written on, two
// shared processors, a request took 13 µs and 2 allocations by BenchmarkConn, 23 µs
// and 43 allocations by BenchmarkTransport, both with a server that does nothing.
package web
