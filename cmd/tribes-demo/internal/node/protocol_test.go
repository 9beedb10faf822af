package node

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

func TestRawOptionBits(t *testing.T) {
	a, b := two(t)
	for i, mode := range []string{"0", "1", "2", "6", "8", "14", "64"} {
		a.say("send s %d 50 %s *", i, mode)
		a.expect("ack", with("seq", i))
		if m := b.expect("message", with("seq", i)); m["len"] != 50.0 {
			t.Errorf("%s: %v, want a byte message whatever the bits", mode, m)
		}
	}
	for _, mode := range []string{"-1", "0x3", "4294967296", "1.0"} {
		a.say("send s 1 50 %s *", mode)
		a.expect("error", nil)
	}
}

func TestClockOffsetShiftsEverything(t *testing.T) {
	a := drive(t, "-port", "0", "-mcast-port", strconv.Itoa(freeGroup(t)), "-clock-offset", "-3600000")
	ev := a.expect("started", nil)
	if behind := time.Since(time.UnixMilli(int64(ev["t"].(float64)))); behind < time.Hour || behind > time.Hour+patience {
		t.Errorf("the started event is %v behind, want an hour", behind)
	}
}

func TestFixedIDAndStaticMembers(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef"
	port, other := freeTCPPort(t), freeTCPPort(t)
	a := drive(t, "-port", port, "-id", strings.ToUpper(id), "-channel", "c", "-freq", "100", "-drop", "1000", "-static", "localhost:"+other)
	if ev := a.expect("started", nil); ev["id"] != id {
		t.Errorf("started as %v, want id %s", ev["id"], id)
	}
	b := drive(t, "-port", other, "-channel", "c", "-freq", "100", "-drop", "1000", "-static", "127.0.0.1:"+port+":"+id)
	if ev := b.expect("memberAdded", nil); ev["id"] != id || ev["member"] != "127.0.0.1:"+port {
		t.Errorf("b sees %v, want the member on the list with its id", ev)
	}
	a.expect("memberAdded", nil)
}

func TestMissingStaticMemberIsLogged(t *testing.T) {
	port := freeTCPPort(t)
	n := &node{out: newEmitter(io.Discard, slog.New(slog.DiscardHandler))}
	var log strings.Builder
	s, _, err := settings.Parse("node", []string{"-port", "0", "-freq", "20", "-drop", "100", "-static", "127.0.0.1:" + port},
		func(string) string { return "" }, io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.settings, n.log = s, slog.New(slog.NewTextHandler(&log, nil))
	if err := n.join(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer n.leave()
	n.work.Wait() // for the one look at the list
	if got := log.String(); !strings.Contains(got, "static member is not there") || !strings.Contains(got, port) {
		t.Errorf("log %q, want the address that nobody answers at", got)
	}
}

func TestBindToAllAddresses(t *testing.T) {
	a := joined(t, freeGroup(t), "-bind", "0.0.0.0")
	if strings.HasPrefix(a.member, "0.0.0.0") {
		t.Errorf("started as %s, want an address that others can reach", a.member)
	}
}

// Commands that cannot be read end the node, which says why and does not look as if it
// had been told to end.
func TestInputThatCannotBeRead(t *testing.T) {
	for _, test := range []struct {
		name, want string
		feed       func(d *driven)
	}{
		{"long line", "a command of more than", func(d *driven) {
			io.WriteString(d.stdin, strings.Repeat("a", 2*maxLine)) // it fails when the node has ended
		}},
		{"broken", "the terminal is gone", func(d *driven) { d.stdin.CloseWithError(errors.New("the terminal is gone")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := joined(t, freeGroup(t))
			test.feed(d)
			if status := <-d.status; status != exitStart || !strings.Contains(d.log.String(), test.want) {
				t.Errorf("status %d and log %q, want %d and %q", status, d.log, exitStart, test.want)
			}
		})
	}
}

func TestEndOfInputLeaves(t *testing.T) {
	a, b := two(t)
	b.say("set recvBlock 1")
	b.expect("ok", nil)
	a.say("send s 1 10 sync *")
	b.expect("message", nil)
	a.stdin.Close()
	if e := b.expect("memberDisappeared", with("member", a.member)); e["shutdown"] != true {
		t.Errorf("memberDisappeared %v, want a goodbye", e)
	}
	b.say("set recvBlock 0")
	if status := <-a.status; status != exitOK {
		t.Errorf("exit status %d, want 0", status)
	}
	outcomes := 0
	for ev := range a.lines {
		if ev["ev"] == "ack" || ev["ev"] == "sendError" {
			outcomes++
		}
	}
	if outcomes != 1 {
		t.Errorf("%d outcomes of one send, want exactly one", outcomes)
	}
}

// TestOneOutcomePerMessage: whatever becomes of a message, one event tells.
func TestOneOutcomePerMessage(t *testing.T) {
	a, b := two(t)
	a.say("bench x 200 300 asyncack 0 * 4")
	a.say("bench y 200 300 sync 0 %s 4", b.member)
	a.say("bench z 20 10 sync 0 127.0.0.1:1 2")
	b.say("leave")
	outcomes := make(map[string]int)
	for done := 0; done < 3; {
		switch ev := a.expectAny("ack", "sendError", "benchDone"); ev["ev"] {
		case "benchDone":
			done++
		default:
			outcomes[fmt.Sprint(ev["stream"], " ", ev["seq"])]++
		}
	}
	a.say("stop")
	for ev := range a.lines {
		if ev["ev"] == "ack" || ev["ev"] == "sendError" {
			outcomes[fmt.Sprint(ev["stream"], " ", ev["seq"])]++
		}
	}
	if len(outcomes) != 420 {
		t.Errorf("outcomes of %d messages, want 420", len(outcomes))
	}
	for m, n := range outcomes {
		if n != 1 {
			t.Errorf("message %s has %d outcomes, want 1", m, n)
		}
	}
}

// expectAny returns the next event of those kinds.
func (d *driven) expectAny(kinds ...string) map[string]any {
	d.t.Helper()
	return d.await(strings.Join(kinds, " or "), func(m map[string]any) bool { return slices.Contains(kinds, m["ev"].(string)) })
}

func freeTCPPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
