// Package session gives net/http servers sessions: what a user has in the cart, who is
// logged in, which step of a form comes next. They are held in memory: of this process, or
// of several nodes, so that any node can serve any client and one that crashes takes none of
// them with it; and with a store they outlive all nodes.
//
//	sessions, err := session.New(session.Config{Timeout: 20 * time.Minute})
//	...
//	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
//		s := session.From(r)
//		n, err := s.Add("visits", 1)
//		...
//		fmt.Fprintf(w, "visit %d\n", n)
//	})
//	http.ListenAndServe(":8080", sessions.Handler(mux))
//
// # Several nodes
//
// With a [Cluster] each node has all sessions. What a request has changed is sent to the
// others before the first byte of its response, and [Cluster].Wait says whether the response
// waits for them: by default until all that answer have applied it.
//
//	g, err := group.New()
//	err = g.Start(ctx)
//	sessions, err := session.New(session.Config{
//		Route:   "a", // this node, for load balancers
//		Cluster: &session.Cluster{Group: g, Name: "shop"},
//	})
//	err = sessions.Start(ctx) // until it returns, requests get 503
//
// A node that is silent for [Cluster].Budget is left out and brought up to date when it
// answers again. In a split both sides go on; when it has healed, all nodes have the
// writes of both, of two to the same attribute the same one, and all that was added by
// [Session.Add]. [Manager.ReadyHandler] is for load balancers, [Manager.Drain] for the end
// of a node. docs/sessions.md of the module says more.
//
// With a [Backup] in place of the Cluster each session is on a primary and a backup, of
// however many nodes, all of which serve it: that is for more than four nodes.
//
// # Store nodes
//
// Web nodes can hold no sessions: a [Client] is a store, for [Persist], whose sessions are in
// the memory of other members of the group, each with a [StoreNode]. No session moves when a
// web node starts or ends.
//
//	node, err := session.NewStoreNode(session.StoreNodeConfig{Group: g, Name: "shop"})
//	err = node.Start(ctx)
//
// and on each web node
//
//	client, err := session.NewClient(session.ClientConfig{Group: g, Name: "shop"})
//	err = client.Start(ctx) // returns when a store node serves
//	sessions, err := session.New(session.Config{Persist: &session.Persist{
//		Store: client, EachRequest: true, OnError: session.Fail, Timeout: 6 * time.Second}})
//
// # In a store
//
// With [Persist], alone or beside a Cluster, sessions are kept in files or a database too:
// they outlive the processes, and those that are not used need not be in memory.
//
//	files, err := filestore.Open(filestore.Config{Dir: dir})
//	sessions, err := session.New(session.Config{
//		Persist: &session.Persist{Store: files, EachRequest: true},
//	})
//
// Packages session/store/filestore and sqlstore are such stores, and so are the modules
// contrib/redis and contrib/memcached.
//
// # Attributes
//
// [Get], [Set] and [Update] are typed; a [Key] is a name with its type. A value is
// encoded when it is set and decoded when it is read, so what a program holds is always
// a copy: changing it changes nothing until it is set again, and requests that run at
// the same time cannot race on it. A value that cannot be encoded without loss is an
// error at once and concerns nothing else: channels and functions, cycles, structs
// without exported fields. As with encoding/json, unexported fields of other structs are
// left out.
//
// Requests of one client run at the same time more often than one thinks. Get and then
// Set loses what another request has set in between; Update does not, and neither does
// [Session.Add], which is for counters.
//
// Config.LocalOnly names attributes that are kept as they are: whoever gets one shares
// it.
//
// # Life of a session
//
//	no session --- first Set, Add, Update, Login ---> session ---> Invalidate, or no access
//	                                                   ^   |       for its timeout
//	                                                   +---+ Renew, Login: a new id
//
// A request that sets nothing makes no session and gets no cookie. The beginning and
// the end of each request that brings the cookie are an access. Timeouts not above 0 mean
// never, only in Config is 0 the default of 30 minutes. They are counted on the
// monotonic clock: to set the time of the machine ends no session. An expired
// session is gone for the next request at once, and for memory and listeners within one
// Config.Sweep.
//
// # Ids and cookies
//
// Only ids that this package has made lead to a session, and an id that leads nowhere is
// never adopted: the session that the request makes gets another one. So nobody can fix
// the id of somebody else's session in advance; and who knew the id of a session before
// its login does not after, because [Session.Login] renews it, and the old id is dead at
// once. A request that was running with the old id goes on with the session, but does
// not learn the new id, and after a login cannot give the session another one; one that comes
// with the old id later has no session.
//
// Cookies are HttpOnly, SameSite=Lax and, over TLS, Secure. A server behind a proxy that
// ends TLS sets Cookie.Secure to [SecureAlways]. Of several cookies of the name the first
// that leads to a session counts, of at most 4; more, cookies in no form of ours and ids
// that lead nowhere are counted in [Stats] and cost nothing else.
//
// # Responses
//
// The cookie travels in the header. So the first write to a new session must come before
// the header: before WriteHeader, the first Write, a Flush or a Hijack. Later it is
// refused with [ErrHeaderWritten]; writes to a session that the client has already are
// not. A handler that streams sets what it has to set first:
//
//	s := session.From(r)
//	err := s.Login(name)                     // the cookie is decided here
//	...
//	rc := http.NewResponseController(w)
//	for event := range events {
//		fmt.Fprintf(w, "data: %s\n\n", event)
//		err = rc.Flush()                     // HTTP/1 and HTTP/2
//		s.Touch()                            // or the session expires under a long stream
//	}
//
// http.ResponseController works with all its methods, and so do http.Flusher,
// http.Hijacker, http.Pusher and io.ReaderFrom (sendfile); what the server cannot do,
// such as Hijack in HTTP/2, is http.ErrNotSupported. Who takes a connection over for a
// WebSocket finds the cookie in Header. Responses with a cookie get Cache-Control:
// no-cache="Set-Cookie" unless the handler has set one, and those of handlers that looked
// at the session Vary: Cookie.
//
// If a handler panics before the header, a session that it has made is ended: nobody
// would learn its id.
//
// # Limits
//
// [Limits] bounds how many sessions there are and what each may hold; what is too much is
// refused with a [*LimitError]. A session with one attribute of 16 bytes takes about 400
// bytes.
//
// # Codecs
//
// [CBOR] is the default: it is the smallest and fastest of the three and checks what it
// decodes before it takes memory. [JSON] and [Gob] are there for programs that need them.
//
// # Caveats
//
//   - Sessions end with the process, or with the last node that has them, if they are in
//     no store.
//   - No lock spans the nodes: Update is one step on its node; beside another one on
//     another node it is a Set. Add is exact on all of them. [Manager.Serial] is a lock of
//     one node, [Tokens] are against forms that come twice.
//   - With a Cluster each node has the memory of all sessions and gets every change: that is
//     for two to four nodes.
//   - With a Backup a session is lost if its primary and all its backups crash before others
//     have made copies.
//   - Two requests without a cookie that run at the same time make two sessions, and the
//     client keeps the cookie that comes last.
//   - A field that is renamed is not found in values of before; a type that no longer
//     fits is ErrType. Delete the attribute then, or keep reading the old type.
//   - Any request with the cookie keeps the session alive, also one for an image: see
//     Config.Skip.
//   - A session is no place for what must not be lost.
package session
