package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotribes/tribes/group"
)

var errLeft = errors.New("not in the group")

// command carries out one line and reports whether it was stop.
func (n *node) command(ctx context.Context, line string) (stop bool) {
	words := strings.Fields(line)
	done := "ok"
	var err error
	switch words[0] {
	case "send":
		if err = n.queueSend(words[1:]); err == nil {
			return false
		}
	case "bench":
		err = n.startBench(ctx, words[1:])
	case "stats":
		n.emitStats()
		return false
	case "set":
		err = n.set(words[1:])
	case "gc":
		runtime.GC()
	case "leave":
		done, err = "left", n.leaveCommand()
	case "join":
		err = n.join(ctx)
	case "stop":
		return true
	default:
		err = fmt.Errorf("unknown command %q", words[0])
	}
	if err != nil {
		n.out.emit(cmdEvent{n.at("error"), line, err.Error()})
		return false
	}
	n.out.emit(cmdEvent{event: n.at(done), Cmd: line})
	return false
}

func (n *node) leaveCommand() error {
	if !n.leave() {
		return errLeft
	}
	return nil
}

// maxDelayMS is the longest delay that a delivery may be given: a day.
const maxDelayMS = 24 * 60 * 60 * 1000

func (n *node) set(words []string) error {
	if len(words) != 2 {
		return errors.New("want: set NAME VALUE")
	}
	v, err := strconv.Atoi(words[1])
	if err != nil || v < 0 || v > maxDelayMS {
		return fmt.Errorf("value %q: want a number from 0 to %d", words[1], maxDelayMS)
	}
	switch words[0] {
	case "recvDelayMs":
		n.switches.setDelay(time.Duration(v) * time.Millisecond)
	case "recvBlock", "recvThrow", "quiet":
		if v > 1 {
			return fmt.Errorf("value %q: want 0 or 1", words[1])
		}
		n.switches.set(words[0], v == 1)
	default:
		return fmt.Errorf("unknown setting %q", words[0])
	}
	return nil
}

func (n *node) emitStats() {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	ev := statsEvent{
		event:      n.at("stats"),
		HeapKB:     mem.HeapAlloc >> 10,
		QueueBytes: -1,
		Goroutines: runtime.NumGoroutine(),
		Sent:       n.counts.sent.Load(),
		Acked:      n.counts.acked.Load(),
		Failed:     n.counts.failed.Load(),
		Received:   n.counts.received.Load(),
		Odd:        n.counts.odd.Load(),
		Members:    []string{},
		Streams:    n.streams.snapshot(),
	}
	if g := n.group(); g != nil {
		st := g.Stats()
		ev.QueueBytes = st.QueuedBytes()
		ev.ReceiverAlive, ev.MembershipAlive = st.Listening()
		for _, m := range g.View().Members {
			ev.Members = append(ev.Members, addr(m)+" "+m.ID().String())
		}
	}
	n.out.emit(ev)
}

// destinations finds the members that dest names in the present view: * for
// all, or addresses. An address nobody has is no error here: the send is then
// to fewer, or to nobody.
func destinations(g *group.Group, dest string) []*group.Member {
	if dest == "*" {
		return g.View().Members
	}
	var to []*group.Member
	names := strings.Split(dest, ";")
	for _, m := range g.View().Members {
		if slices.Contains(names, addr(m)) {
			to = append(to, m)
		}
	}
	return to
}
