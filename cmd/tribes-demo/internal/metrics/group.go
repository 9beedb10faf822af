package metrics

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/transport/nio"
)

// Group adds the numbers of a member of a group.
func (p *Page) Group(st *group.Stats) {
	p.Value("members", "gauge", "other members seen", st.Members)
	p.Value("sent_total", "counter", "sends that succeeded everywhere", st.Sent)
	p.Value("sends_failed_total", "counter", "sends that did not", st.SendsFailed)
	p.Value("sent_bytes_total", "counter", "payload bytes sent, once per destination", st.SentBytes)
	p.Value("received_total", "counter", "messages that reached the application", st.Received)
	p.Value("received_bytes_total", "counter", "payload bytes of those", st.ReceivedBytes)
	p.Value("unclaimed_total", "counter", "received messages that no listener accepted", st.Unclaimed)
	p.Value("listener_errors_total", "counter", "messages that a listener failed on, or of a topic that has none here", st.ListenerErrors)
	p.Value("listener_panics_total", "counter", "panics in listeners", st.Panics)
	p.Value("queued_bytes", "gauge", "bytes that wait to be sent", st.QueuedBytes())
	p.rpc(&st.RPC)
	p.links(st.Links)
	p.receiver(st.Receiver)
	p.multicast(st)
}

// links writes the counts for each member that was sent to.
func (p *Page) links(all []nio.MemberStats) {
	for _, f := range []struct {
		name, kind, help string
		value            func(*nio.MemberStats) any
	}{
		{"link_connections", "gauge", "connections to the member", func(l *nio.MemberStats) any { return l.Links }},
		{"link_queued_messages", "gauge", "messages that wait to be written", func(l *nio.MemberStats) any { return l.QueuedMessages }},
		{"link_queued_bytes", "gauge", "bytes that wait to be written", func(l *nio.MemberStats) any { return l.QueuedBytes }},
		{"link_in_flight", "gauge", "messages written that wait for their answer", func(l *nio.MemberStats) any { return l.InFlight }},
		{"link_sent_total", "counter", "frames written, repeats included", func(l *nio.MemberStats) any { return l.Sent }},
		{"link_sent_bytes_total", "counter", "bytes of those", func(l *nio.MemberStats) any { return l.SentBytes }},
		{"link_retried_total", "counter", "frames written again", func(l *nio.MemberStats) any { return l.Retried }},
		{"link_refused_total", "counter", "messages that the member's listener refused", func(l *nio.MemberStats) any { return l.Refused }},
		{"link_failed_total", "counter", "other messages without success", func(l *nio.MemberStats) any { return l.Failed }},
	} {
		p.Family(f.name, f.kind, f.help)
		for i := range all {
			l := &all[i]
			p.Sample(f.name, f.value(l), "member", address(l.Member), "id", l.Member.ID().String())
		}
	}
	p.Family("ack_wait_seconds", "summary", "time from the end of writing to the answer")
	for i := range all {
		l := &all[i]
		total := time.Duration(l.AckWait.Count) * l.AckWait.Mean
		p.Sample("ack_wait_seconds_sum", total.Seconds(), "member", address(l.Member), "id", l.Member.ID().String())
		p.Sample("ack_wait_seconds_count", l.AckWait.Count, "member", address(l.Member), "id", l.Member.ID().String())
	}
}

// rpc writes the counts of remote calls.
func (p *Page) rpc(r *group.RPCStats) {
	p.Value("rpc_calls_total", "counter", "remote calls that got the replies that they wanted", r.Calls)
	p.Value("rpc_calls_failed_total", "counter", "remote calls that did not", r.CallsFailed)
	p.Value("rpc_calls_waiting", "gauge", "remote calls that wait for replies", r.Waiting)
	p.Value("rpc_served_total", "counter", "requests that a handler has answered", r.Served)
	p.Value("rpc_handler_errors_total", "counter", "requests that a handler has failed on", r.HandlerErrors)
	p.Value("rpc_running", "gauge", "requests that handlers work at", r.Running)
	p.Value("rpc_stuck", "gauge", "those that take too long", r.Stuck)
	p.Value("rpc_queued", "gauge", "requests that wait for a handler", r.Queued)
	p.Family("rpc_refused_total", "counter", "requests that were not processed")
	p.Sample("rpc_refused_total", r.NoHandler, "reason", "no handler")
	p.Sample("rpc_refused_total", r.Busy, "reason", "busy")
	p.Sample("rpc_refused_total", r.Expired, "reason", "caller gone")
	p.Value("rpc_late_total", "counter", "replies that no call waited for", r.Late+r.Unwanted)
	p.Value("rpc_lost_total", "counter", "answers that could not be sent", r.Lost)
}

// receiver writes the counts of what came in.
func (p *Page) receiver(r *nio.ReceiverStats) {
	if r == nil {
		return
	}
	p.Value("receiver_open", "gauge", "1 if connections are accepted", Bool(r.Open))
	p.Value("receiver_connections", "gauge", "connections open now", r.Conns)
	p.Value("receiver_held_bytes", "gauge", "memory that connections hold", r.Held)
	p.Value("receiver_accepted_total", "counter", "connections accepted", r.Accepted)
	p.Value("receiver_frames_total", "counter", "frames received", r.Frames)
	p.Value("receiver_duplicates_total", "counter", "messages received again and not delivered again", r.Duplicates)
	p.Value("receiver_dropped_total", "counter", "messages received and not delivered", r.Dropped)
}

// multicast writes its counts, and what was refused there and by the receiver.
func (p *Page) multicast(st *group.Stats) {
	if m := st.Multicast; m != nil {
		p.Value("multicast_open", "gauge", "1 if there is a socket", Bool(m.Open))
		p.Value("multicast_sent_total", "counter", "datagrams sent", m.Sent)
		p.Value("multicast_send_errors_total", "counter", "datagrams that could not be sent", m.SendErrors)
		p.Value("multicast_received_total", "counter", "datagrams received", m.Received)
	}
	p.Family("rejected_total", "counter", "connections closed and datagrams dropped")
	rejected := func(part string, by map[string]uint64) {
		for _, reason := range slices.Sorted(maps.Keys(by)) {
			p.Sample("rejected_total", by[reason], "part", part, "reason", reason)
		}
	}
	if st.Receiver != nil {
		rejected("receiver", st.Receiver.Rejected)
	}
	if st.Multicast != nil {
		rejected("multicast", st.Multicast.Rejected)
	}
}

// address is how a member is named, the same in all metrics and events.
func address(m *membership.Member) string {
	return netip.AddrPortFrom(m.Host().Unmap(), uint16(m.Port())).String()
}
