package node

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/gotribes/tribes/membership"
)

// emitter writes events, one JSON object per line, each flushed. It is safe for
// concurrent use.
type emitter struct {
	mu  sync.Mutex
	w   *bufio.Writer
	log *slog.Logger
}

func newEmitter(w io.Writer, log *slog.Logger) *emitter {
	return &emitter{w: bufio.NewWriterSize(w, 64<<10), log: log}
}

// event is what every line has; other fields are added by embedding it.
type event struct {
	Ev string `json:"ev"`
	T  int64  `json:"t"` // wall clock in ms
}

// at begins an event of now, by the wall clock that the node believes in.
func (n *node) at(ev string) event { return event{ev, n.settings.Now().UnixMilli()} }

func (e *emitter) emit(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		e.log.Error("event not encodable", "err", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.w.Write(b)
	e.w.WriteByte('\n')
	if err := e.w.Flush(); err != nil {
		e.log.Error("standard output is gone", "err", err)
	}
}

type startedEvent struct {
	event
	Name   string `json:"name"`
	Member string `json:"member"`
	ID     string `json:"id"`
	PID    int    `json:"pid"`
}

type memberEvent struct {
	event
	Member   string `json:"member"`
	ID       string `json:"id"`
	Domain   string `json:"domain"`
	Shutdown *bool  `json:"shutdown,omitempty"` // of memberDisappeared: it said goodbye
}

// viewEvent is a view on which the members have agreed (layer coord), in the order in
// which they would coordinate.
type viewEvent struct {
	event
	ID          string   `json:"id"`
	Term        uint64   `json:"term"` // rises from view to view; 0 if Java nodes made it
	Coordinator string   `json:"coordinator"`
	Members     []string `json:"members"`
}

type messageEvent struct {
	event
	From   string `json:"from"`
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	Len    int    `json:"len"`
	SHA    string `json:"sha"`
	View   string `json:"view,omitempty"` // the agreed view in which it came (word views of the stack)
}

type oddEvent struct {
	event
	From string `json:"from"`
	What string `json:"what"`
}

type ackEvent struct {
	event
	Stream string `json:"stream"`
	Seq    uint64 `json:"seq"`
	To     int    `json:"to"`
	US     int64  `json:"us"`
}

type sendErrorEvent struct {
	event
	Stream string   `json:"stream"`
	Seq    uint64   `json:"seq"`
	Err    string   `json:"err"`
	Faulty []string `json:"faulty"`
	US     int64    `json:"us"`
}

type benchDoneEvent struct {
	event
	Stream string `json:"stream"`
	Count  uint64 `json:"count"`
	MS     int64  `json:"ms"`
}

type cmdEvent struct {
	event
	Cmd string `json:"cmd"`
	Err string `json:"err,omitempty"`
}

type statsEvent struct {
	event
	HeapKB          uint64                 `json:"heapKB"`
	QueueBytes      int64                  `json:"queueBytes"`
	Goroutines      int                    `json:"goroutines"`
	Sent            uint64                 `json:"sent"`
	Acked           uint64                 `json:"acked"`
	Failed          uint64                 `json:"failed"`
	Received        uint64                 `json:"received"`
	Odd             uint64                 `json:"odd"`
	ReceiverAlive   bool                   `json:"receiverAlive"`
	MembershipAlive bool                   `json:"membershipAlive"`
	Members         []string               `json:"members"`
	Streams         map[string]streamStats `json:"streams"`
}

// addr is how events name a member.
func addr(m *membership.Member) string {
	return netip.AddrPortFrom(m.Host().Unmap(), uint16(m.Port())).String()
}
