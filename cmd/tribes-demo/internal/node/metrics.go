package node

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/nio"
)

// metrics writes the counters in the text format of Prometheus. They begin anew
// when the node joins again.
func (s *statusServer) metrics(w http.ResponseWriter, _ *http.Request) {
	var st group.Stats
	g := s.n.group()
	if g != nil {
		st = g.Stats()
	}
	e := new(exposition)
	e.single("up", "gauge", "1 if the node is in the group", truth(g != nil))
	e.single("members", "gauge", "other members seen", st.Members)
	e.single("uptime_seconds", "gauge", "time in the group", s.n.history.inGroupFor().Seconds())
	e.single("sent_total", "counter", "sends that succeeded everywhere", st.Sent)
	e.single("sends_failed_total", "counter", "sends that did not", st.SendsFailed)
	e.single("sent_bytes_total", "counter", "payload bytes sent, once per destination", st.SentBytes)
	e.single("received_total", "counter", "messages that reached the application", st.Received)
	e.single("received_bytes_total", "counter", "payload bytes of those", st.ReceivedBytes)
	e.single("unclaimed_total", "counter", "received messages that no listener accepted", st.Unclaimed)
	e.single("listener_errors_total", "counter", "messages that the listener failed on", st.ListenerErrors)
	e.single("listener_panics_total", "counter", "panics in listeners", st.Panics)
	e.single("queued_bytes", "gauge", "bytes that wait to be sent", st.QueuedBytes())
	e.rpc(&st.RPC)
	e.links(st.Links)
	e.receiver(st.Receiver)
	e.multicast(&st)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	if _, err := w.Write(e.b.Bytes()); err != nil {
		s.n.log.Debug("metrics not read", "err", err)
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// exposition is a page of metrics under way.
type exposition struct{ b bytes.Buffer }

func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(&e.b, "# HELP tribes_%s %s\n# TYPE tribes_%s %s\n", name, help, name, kind)
}

func (e *exposition) single(name, kind, help string, value any) {
	e.family(name, kind, help)
	fmt.Fprintf(&e.b, "tribes_%s %v\n", name, value)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// labelled adds a sample with labels, name and value in turn.
func (e *exposition) labelled(name string, value any, labels ...string) {
	fmt.Fprintf(&e.b, "tribes_%s{", name)
	for i := 0; i+1 < len(labels); i += 2 {
		if i > 0 {
			e.b.WriteByte(',')
		}
		fmt.Fprintf(&e.b, `%s="%s"`, labels[i], labelEscapes.Replace(strings.ToValidUTF8(labels[i+1], "?")))
	}
	fmt.Fprintf(&e.b, "} %v\n", value)
}

// links writes the counts for each member that was sent to.
func (e *exposition) links(all []nio.MemberStats) {
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
		e.family(f.name, f.kind, f.help)
		for i := range all {
			l := &all[i]
			e.labelled(f.name, f.value(l), "member", addr(l.Member), "id", l.Member.ID().String())
		}
	}
	e.family("ack_wait_seconds", "summary", "time from the end of writing to the answer")
	for i := range all {
		l := &all[i]
		total := time.Duration(l.AckWait.Count) * l.AckWait.Mean
		e.labelled("ack_wait_seconds_sum", total.Seconds(), "member", addr(l.Member), "id", l.Member.ID().String())
		e.labelled("ack_wait_seconds_count", l.AckWait.Count, "member", addr(l.Member), "id", l.Member.ID().String())
	}
}

// rpc writes the counts of remote calls.
func (e *exposition) rpc(r *group.RPCStats) {
	e.single("rpc_calls_total", "counter", "remote calls that got the replies that they wanted", r.Calls)
	e.single("rpc_calls_failed_total", "counter", "remote calls that did not", r.CallsFailed)
	e.single("rpc_calls_waiting", "gauge", "remote calls that wait for replies", r.Waiting)
	e.single("rpc_served_total", "counter", "requests that a handler has answered", r.Served)
	e.single("rpc_handler_errors_total", "counter", "requests that a handler has failed on", r.HandlerErrors)
	e.single("rpc_running", "gauge", "requests that handlers work at", r.Running)
	e.single("rpc_stuck", "gauge", "those that take too long", r.Stuck)
	e.single("rpc_queued", "gauge", "requests that wait for a handler", r.Queued)
	e.family("rpc_refused_total", "counter", "requests that were not processed")
	e.labelled("rpc_refused_total", r.NoHandler, "reason", "no handler")
	e.labelled("rpc_refused_total", r.Busy, "reason", "busy")
	e.labelled("rpc_refused_total", r.Expired, "reason", "caller gone")
	e.single("rpc_late_total", "counter", "replies that no call waited for", r.Late+r.Unwanted)
	e.single("rpc_lost_total", "counter", "answers that could not be sent", r.Lost)
}

func (e *exposition) receiver(r *nio.ReceiverStats) {
	if r == nil {
		return
	}
	e.single("receiver_open", "gauge", "1 if connections are accepted", truth(r.Open))
	e.single("receiver_connections", "gauge", "connections open now", r.Conns)
	e.single("receiver_held_bytes", "gauge", "memory that connections hold", r.Held)
	e.single("receiver_accepted_total", "counter", "connections accepted", r.Accepted)
	e.single("receiver_frames_total", "counter", "frames received", r.Frames)
	e.single("receiver_duplicates_total", "counter", "messages received again and not delivered again", r.Duplicates)
	e.single("receiver_dropped_total", "counter", "messages received and not delivered", r.Dropped)
}

// multicast writes its counts, and what was refused there and by the receiver.
func (e *exposition) multicast(st *group.Stats) {
	if m := st.Multicast; m != nil {
		e.single("multicast_open", "gauge", "1 if there is a socket", truth(m.Open))
		e.single("multicast_sent_total", "counter", "datagrams sent", m.Sent)
		e.single("multicast_send_errors_total", "counter", "datagrams that could not be sent", m.SendErrors)
		e.single("multicast_received_total", "counter", "datagrams received", m.Received)
	}
	e.family("rejected_total", "counter", "connections closed and datagrams dropped")
	rejected := func(part string, by map[string]uint64) {
		for _, reason := range slices.Sorted(maps.Keys(by)) {
			e.labelled("rejected_total", by[reason], "part", part, "reason", reason)
		}
	}
	if st.Receiver != nil {
		rejected("receiver", st.Receiver.Rejected)
	}
	if st.Multicast != nil {
		rejected("multicast", st.Multicast.Rejected)
	}
}
