package metrics

import "github.com/gotribes/tribes/session"

// number is one of several of a kind.
type number struct {
	name, kind, help string
	value            any
}

func (p *Page) values(prefix string, all []number) {
	for _, n := range all {
		p.Value(prefix+n.name, n.kind, n.help, n.value)
	}
}

// Sessions adds the numbers of a manager that all have: of sessions and of requests.
func (p *Page) Sessions(m *session.Manager) {
	s := m.Stats()
	p.values("sessions", []number{
		{"", "gauge", "sessions in the memory of this node", s.Sessions},
		{"_created_total", "counter", "sessions made here", s.Created},
		{"_invalidated_total", "counter", "sessions ended here by a request or the program", s.Invalidated},
		{"_expired_total", "counter", "sessions whose time was over, ended here", s.Expired},
		{"_renewed_total", "counter", "ids renewed here, as at a login", s.Renewed},
		{"_bound_total", "counter", "sessions whose client came from another node", s.Bound},
		{"_refused_total", "counter", "new sessions that the limit did not allow", s.Refused},
		{"_failed_total", "counter", "sessions that could not be read or stored", s.Failed},
	})
	p.Family("session_cookies_total", "counter", "cookies that led to no session")
	p.Sample("session_cookies_total", s.Malformed, "reason", "malformed")
	p.Sample("session_cookies_total", s.Unknown, "reason", "unknown")
	p.Sample("session_cookies_total", s.Repeated, "reason", "repeated")
}

// Cluster adds the numbers of a manager whose sessions are on all nodes.
func (p *Page) Cluster(s session.ClusterStats) {
	p.values("cluster_", []number{
		{"peers", "gauge", "other nodes with these sessions", s.Peers},
		{"current", "gauge", "of those, the ones that responses wait for", s.Current},
		{"degraded_total", "counter", "changes that no other node has confirmed", s.Degraded},
		{"left_out_total", "counter", "times that a node did not answer in time", s.LeftOut},
		{"rejected_total", "counter", "changes refused, here or at another node", s.Rejected},
		{"malformed_total", "counter", "messages that could not be read", s.Malformed},
		{"strangers_total", "counter", "messages of members that had not introduced themselves", s.Strangers},
		{"incompatible_total", "counter", "members with another codec or version", s.Incompatible},
		{"duplicates_total", "counter", "nodes with the route of this one", s.Duplicates},
		{"refused_total", "counter", "questions of other nodes not answered, because there were too many", s.Refused},
		{"gaps_total", "counter", "changes of which something before was missing", s.Gaps},
		{"repaired_total", "counter", "sessions found different in a comparison", s.Repaired},
		{"incomplete_total", "counter", "starts that found no sessions in time", s.Incomplete},
	})
}

// Backup adds the numbers of a manager whose sessions are on a primary and backups.
func (p *Page) Backup(s session.BackupStats) {
	p.values("backup_", []number{
		{"sessions", "gauge", "sessions of all nodes together", s.Sessions},
		{"held", "gauge", "of those, the ones that this node has as primary or backup", s.Held},
		{"nodes", "gauge", "other nodes", s.Nodes},
		{"current", "gauge", "of those, the ones that responses wait for", s.Current},
		{"alone_total", "counter", "saves that no other node has, though one should", s.Alone},
		{"left_out_total", "counter", "times that a node did not answer and was left out", s.LeftOut},
		{"fetched_total", "counter", "sessions that came from another node for a request here", s.Fetched},
		{"moved_total", "counter", "sessions that came because this node is to have them now", s.Moved},
	})
}

// Store adds the numbers of what a manager keeps in a store.
func (p *Page) Store(s session.PersistStats) {
	p.values("store_", []number{
		{"down", "gauge", "1 if the last call has failed", Bool(s.Down)},
		{"unsaved", "gauge", "sessions in memory with changes that are not stored", s.Unsaved},
		{"loads_total", "counter", "sessions that the store gave, also to compare", s.Loads},
		{"misses_total", "counter", "sessions that it did not have", s.Misses},
		{"saves_total", "counter", "saves", s.Saves},
		{"saved_bytes_total", "counter", "bytes of those", s.SavedBytes},
		{"conflicts_total", "counter", "saves that another node had overtaken; they were merged", s.Conflicts},
		{"saves_failed_total", "counter", "saves that did not work", s.Failed},
		{"too_large_total", "counter", "of those, the ones of sessions too large for the store", s.TooLarge},
		{"touches_total", "counter", "accesses that the store was told of", s.Touches},
		{"deletes_total", "counter", "sessions deleted", s.Deletes},
		{"expired_total", "counter", "sessions that it has removed when it was told to", s.Expired},
		{"lost_total", "counter", "sessions that were deleted elsewhere", s.Lost},
		{"unreadable_total", "counter", "stored sessions that could not be read", s.Unreadable},
		{"forgotten_total", "counter", "ended sessions not remembered, since too many are to be deleted", s.Forgotten},
		{"swapped_in_total", "counter", "sessions that came into memory", s.SwappedIn},
		{"swapped_out_total", "counter", "sessions that left it", s.SwappedOut},
		{"call_errors_total", "counter", "calls that have failed", s.StoreErrors},
		{"call_slowest_seconds", "gauge", "the longest call so far", s.SlowestCall.Seconds()},
	})
	p.Family("store_call_seconds", "summary", "time of a call")
	p.plain("store_call_seconds_sum", s.CallTime.Seconds())
	p.plain("store_call_seconds_count", s.Calls)
}

// Client adds the numbers of a client of store nodes.
func (p *Page) Client(s session.ClientStats) {
	p.values("client_", []number{
		{"nodes", "gauge", "store nodes that serve", s.Nodes},
		{"calls_total", "counter", "calls", s.Calls},
		{"repeated_total", "counter", "times that a call went to another node, or to the same one again", s.Repeated},
		{"failed_total", "counter", "calls that no node has answered in time", s.Failed},
	})
}

// StoreNode adds the numbers of a store node.
func (p *Page) StoreNode(s session.StoreNodeStats) {
	p.values("storenode_", []number{
		{"sessions", "gauge", "sessions of all store nodes together", s.Sessions},
		{"held", "gauge", "of those, the ones that this node has as primary or backup", s.Held},
		{"nodes", "gauge", "other store nodes", s.Nodes},
		{"current", "gauge", "of those, the ones that saves wait for", s.Current},
		{"loads_total", "counter", "loads of clients", s.Loads},
		{"misses_total", "counter", "calls for sessions that are not there", s.Misses},
		{"saves_total", "counter", "saves of clients", s.Saves},
		{"conflicts_total", "counter", "of those, the ones that had been overtaken", s.Conflicts},
		{"touches_total", "counter", "accesses that clients told of", s.Touches},
		{"deletes_total", "counter", "deletes of clients", s.Deletes},
		{"elsewhere_total", "counter", "calls that were sent to another node", s.Elsewhere},
		{"failed_total", "counter", "calls that did not work", s.Failed},
		{"alone_total", "counter", "saves that no other node has, though one should", s.Alone},
		{"left_out_total", "counter", "times that another store node did not answer and was left out", s.LeftOut},
		{"moved_total", "counter", "sessions that came because this node is to have them now", s.Moved},
	})
}
