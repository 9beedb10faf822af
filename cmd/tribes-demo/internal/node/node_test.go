package node

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/testca"
)

// driven is a node that the test drives as a script would.
type driven struct {
	t      *testing.T
	stdin  *io.PipeWriter
	lines  chan map[string]any // closed at the end
	log    *strings.Builder
	status chan int
	member string

	httpAddr string // of the status page, if it has one
}

// patience bounds every wait for an event.
const patience = 20 * time.Second

func drive(t *testing.T, args ...string) *driven {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	d := &driven{t: t, stdin: inW, lines: make(chan map[string]any, 10000), log: new(strings.Builder), status: make(chan int, 1)}
	var done sync.WaitGroup
	done.Go(func() { // ends with stop or the end of its input
		d.status <- Run(context.Background(), args, inR, outW, d.log)
		outW.Close()
		inR.Close()
	})
	done.Go(func() { // ends with the output
		defer close(d.lines)
		for in := bufio.NewScanner(outR); in.Scan(); {
			var m map[string]any
			if err := json.Unmarshal(in.Bytes(), &m); err != nil {
				t.Errorf("%q: %v", in.Text(), err)
			}
			d.lines <- m
		}
	})
	t.Cleanup(func() {
		inW.Close()
		done.Wait()
	})
	return d
}

// joined starts a node in a group of its own and waits until it is there.
func joined(t *testing.T, group int, more ...string) *driven {
	t.Helper()
	args := []string{"-port", "0", "-mcast-port", strconv.Itoa(group), "-freq", "100", "-drop", "1000"}
	d := drive(t, append(args, more...)...)
	ev := d.expect("started", nil)
	d.member = ev["member"].(string)
	if len(ev["id"].(string)) != 32 || ev["pid"] == nil || ev["name"] == nil {
		t.Errorf("started event %v lacks a field", ev)
	}
	return d
}

func (d *driven) say(format string, args ...any) {
	d.t.Helper()
	if _, err := fmt.Fprintf(d.stdin, format+"\n", args...); err != nil {
		d.t.Fatal(err)
	}
}

// expect returns the next event of that kind that fits; others are passed over.
func (d *driven) expect(ev string, fits func(map[string]any) bool) map[string]any {
	d.t.Helper()
	return d.await(ev, func(m map[string]any) bool { return m["ev"] == ev && (fits == nil || fits(m)) })
}

// await returns the next event that fits; what names it in errors.
func (d *driven) await(what string, fits func(map[string]any) bool) map[string]any {
	d.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case m, ok := <-d.lines:
			if !ok {
				d.t.Fatalf("the node ended before %q; log: %s", what, d.log)
			}
			if m["ev"] == "http" {
				d.httpAddr = m["addr"].(string)
			}
			if fits(m) {
				return m
			}
		case <-limit.C:
			d.t.Fatalf("no %q within %v", what, patience)
		}
	}
}

func with(key string, value any) func(map[string]any) bool {
	return func(m map[string]any) bool { return fmt.Sprint(m[key]) == fmt.Sprint(value) }
}

// freeGroup returns a multicast port that no other test uses.
func freeGroup(t *testing.T) int {
	t.Helper()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// two starts two nodes that see each other.
func two(t *testing.T, more ...string) (a, b *driven) {
	t.Helper()
	group := freeGroup(t)
	a, b = joined(t, group, more...), joined(t, group, more...)
	a.expect("memberAdded", with("member", b.member))
	b.expect("memberAdded", with("member", a.member))
	return a, b
}

func TestSendInEveryMode(t *testing.T) {
	a, b := two(t)
	for i, mode := range []string{"none", "ack", "sync", "async", "asyncack", "asyncsync", "udpmcast", "7"} {
		a.say("send s %d 100 %s *", i, mode)
		ack := a.expect("ack", with("seq", i))
		if ack["stream"] != "s" || ack["to"] != 1.0 || ack["us"] == nil {
			t.Errorf("%s: ack %v, want one destination of stream s", mode, ack)
		}
		m := b.expect("message", with("seq", i))
		if m["from"] != a.member || m["len"] != 100.0 || len(m["sha"].(string)) != 16 {
			t.Errorf("%s: message %v", mode, m)
		}
	}
	b.say("stats")
	st := b.expect("stats", nil)
	streams := st["streams"].(map[string]any)[a.member+" s"].(map[string]any)
	if st["received"] != 8.0 || streams["distinct"] != 8.0 || streams["dup"] != 0.0 || st["receiverAlive"] != true || st["membershipAlive"] != true {
		t.Errorf("stats %v, want 8 messages and both sockets served", st)
	}
	if members := st["members"].([]any); len(members) != 1 || !strings.HasPrefix(members[0].(string), a.member+" ") {
		t.Errorf("members %v, want %s with its id", members, a.member)
	}
}

// TestTLS sends over TLS what has the option bit for it, or everything.
func TestTLS(t *testing.T) {
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ca.WriteFiles(t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	group := freeGroup(t)
	files := []string{"-tls-port", "0", "-tls-cert", f.Cert, "-tls-key", f.Key, "-tls-ca", f.CA}
	a, b := joined(t, group, files...), joined(t, group, append(files, "-tls-only", "1")...)
	clear := joined(t, group)
	for _, d := range []*driven{a, clear} {
		d.expect("memberAdded", with("member", b.member))
	}
	a.say("send s 1 100 23 %s", b.member) // sync and secure
	a.expect("ack", with("seq", 1))
	a.say("send s 2 100 sync %s", b.member)
	if e := a.expect("sendError", with("seq", 2)); !strings.Contains(fmt.Sprint(e), "in the clear") {
		t.Errorf("send in the clear to a member that wants TLS: %v", e)
	}
	clear.say("send s 3 100 23 %s", b.member)
	if e := clear.expect("sendError", with("seq", 3)); !strings.Contains(fmt.Sprint(e), "no TLS configuration") {
		t.Errorf("send without TLS: %v", e)
	}
	b.expect("memberAdded", with("member", a.member))
	b.say("send s 4 100 sync %s", a.member)
	b.expect("ack", with("seq", 4))
}

func TestDestinations(t *testing.T) {
	a, b := two(t)
	a.say("send s 1 10 sync %s", b.member)
	a.expect("ack", with("seq", 1))
	a.say("send s 2 10 sync 127.0.0.1:1")
	if e := a.expect("sendError", with("seq", 2)); len(e["faulty"].([]any)) != 0 || e["err"] == "" {
		t.Errorf("send to nobody: %v", e)
	}
	a.say("send s 3 10 sync %s;127.0.0.1:1", b.member)
	if ack := a.expect("ack", with("seq", 3)); ack["to"] != 1.0 {
		t.Errorf("ack %v, want the one member that matched", ack)
	}
}

func TestListenerSwitches(t *testing.T) {
	a, b := two(t)
	b.say("set recvThrow 1")
	b.expect("ok", nil)
	a.say("send s 1 10 sync *")
	e := a.expect("sendError", with("seq", 1))
	if f := fmt.Sprint(e["faulty"]); !strings.Contains(f, b.member) || !strings.Contains(f, "asked to fail") {
		t.Errorf("faulty %s, want the member and the listener's error", f)
	}
	b.say("set recvThrow 0")
	b.say("set recvBlock 1")
	b.expect("ok", with("cmd", "set recvBlock 1"))
	a.say("send s 2 10 sync *")
	b.expect("message", with("seq", 2)) // printed before it blocks
	b.say("set recvBlock 0")
	a.expect("ack", with("seq", 2))
	b.say("set recvDelayMs 30")
	b.expect("ok", with("cmd", "set recvDelayMs 30"))
	a.say("send s 3 10 sync *")
	if ack := a.expect("ack", with("seq", 3)); ack["us"].(float64) < 30000 {
		t.Errorf("ack after %v µs, want at least the delay", ack["us"])
	}
}

func TestBench(t *testing.T) {
	a, b := two(t, "-quiet", "1")
	a.say("bench x 500 300 sync 0 * 4")
	a.say("bench y 200 300 asyncack 2000 *")
	a.expect("ok", nil)
	for range 2 {
		if e := a.expect("benchDone", nil); e["ms"] == nil || e["count"] == nil {
			t.Errorf("benchDone %v", e)
		}
	}
	for {
		b.say("stats")
		if st := b.expect("stats", nil); st["received"] == 700.0 {
			break
		}
	}
	for {
		a.say("stats")
		st := a.expect("stats", nil)
		if st["acked"] == 700.0 && st["sent"] == 700.0 && st["failed"] == 0.0 {
			return
		}
	}
}

func TestLeaveAndJoin(t *testing.T) {
	a, b := two(t)
	a.say("leave")
	if ev := a.expectAny("left", "memberDisappeared"); ev["ev"] != "left" {
		t.Errorf("%v before left: departures of others are not reported for a leave of our own", ev)
	}
	if e := b.expect("memberDisappeared", with("member", a.member)); e["shutdown"] != true {
		t.Errorf("memberDisappeared %v, want a goodbye", e)
	}
	a.say("send s 1 10 sync *")
	a.expect("sendError", with("seq", 1))
	a.say("leave")
	a.expect("error", nil)
	a.say("join")
	again := a.expect("started", nil)
	if e := b.expect("memberAdded", nil); e["id"] != again["id"] {
		t.Errorf("b sees %v, want the new id %v", e, again["id"])
	}
	a.say("stop")
	a.expect("stopped", nil)
	if status := <-a.status; status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestWrongCommandsAreReportedAndSurvived(t *testing.T) {
	a := joined(t, freeGroup(t))
	for _, line := range []string{"dance", "send", "send s x 1 sync *", "send s 1 -1 sync *", "send s 1 1 loud *",
		"bench s 1 1 sync -1 *", "bench s 1 1 sync 0 * 0", "set recvDelayMs", "set nothing 1", "set recvBlock x", "set recvBlock 2", "set recvDelayMs 999999999999", "join"} {
		a.say("%s", line)
		if e := a.expect("error", nil); e["cmd"] != line || e["err"] == "" {
			t.Errorf("%q: %v, want an error with the command", line, e)
		}
	}
	a.say("gc")
	a.expect("ok", with("cmd", "gc"))
}

func TestNodeThatCannotStart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"port taken", []string{"-port", taken}, exitStart},
		{"status port taken", []string{"-port", "0", "-http", "127.0.0.1:" + taken}, exitStart},
		{"address of nobody here", []string{"-bind", "192.0.2.77"}, exitStart},
		{"unknown flag", []string{"-x"}, exitUsage},
		{"argument", []string{"now"}, exitUsage},
		{"layer that is not built", []string{"-stack", "total"}, exitUsage},
		{"encryption without a key", []string{"-stack", "encrypt"}, exitUsage},
		{"a key that is none", []string{"-stack", "encrypt", "-key", "0011zz"}, exitUsage},
		{"a cipher that is none", []string{"-cipher", "rot13"}, exitUsage},
		{"unknown layer", []string{"-stack", "dispatch,magic"}, exitUsage},
		{"status address without a port", []string{"-http", "localhost"}, exitUsage},
		{"list of members without a port", []string{"-static", "10.0.0.1"}, exitUsage},
		{"domain that fills no image", []string{"-port", "0", "-domain", strings.Repeat("x", 70000)}, exitStart},
		{"multicast with an IPv6 address", []string{"-bind", "::1", "-port", "0"}, exitStart},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := drive(t, tt.args...)
			if status := <-d.status; status != tt.want {
				t.Errorf("exit status %d, want %d", status, tt.want)
			}
			if ev, any := <-d.lines; any {
				t.Errorf("event %v, want none", ev)
			}
			if log := d.log.String(); strings.Count(log, "\n") != 1 {
				t.Errorf("log %q, want one line", log)
			}
		})
	}
}
