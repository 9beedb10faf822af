//go:build faults && linux

package faults

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// besides is by how much longer than elsewhere the silence may be that a member
// hears while another one is stuck.
const besides = 50 * time.Millisecond

// queueLimit bounds what a sender keeps for one member: 16 MiB in its queue and
// 8 MiB on the way, and as much in the queue of the Dispatch layer.
const queueLimit = 40 << 20

// A member whose application is stuck, and one whose process is, cost the others
// nothing; what was sent to it fails and says so.
func TestStuckMember(t *testing.T) {
	t.Run("application", func(t *testing.T) {
		l := newQuietLab(t, 4)
		m := l.stuck(
			func(n *node) { n.set("recvBlock", 1) },
			func(n *node) { n.set("recvBlock", 0) })
		l.unchanged(m, l.nodes...)
	})
	t.Run("process", func(t *testing.T) {
		l := newQuietLab(t, 4)
		m := l.stuck(
			func(n *node) { n.signal(syscall.SIGSTOP) },
			func(n *node) { n.signal(syscall.SIGCONT) })
		l.unchanged(m, l.nodes[1]) // it accuses nobody
	})
}

// stuck makes a member stuck and measures what that costs the others, up to three
// times: what a busy machine does to them does not come each time.
func (l *lab) stuck(begin, end func(*node)) marks {
	l.t.Helper()
	nodes := l.startAll()
	m := l.mark()
	for try := 1; ; try++ {
		excess := l.besideStuck(try, begin, end)
		l.whole(nodes...)
		if excess <= besides {
			break
		}
		if try == 3 {
			l.t.Errorf("beside a stuck member others hear nothing for %v more than elsewhere, want at most %v", excess, besides)
			break
		}
	}
	l.exchange(nodes...)
	l.check()
	return m
}

// besideStuck returns by how much longer than elsewhere the longest silence is
// that a member hears from one whose messages go to a stuck member too.
func (l *lab) besideStuck(try int, begin, end func(*node)) (excess time.Duration) {
	l.t.Helper()
	a, stuck, c, d := l.nodes[0], l.nodes[1], l.nodes[2], l.nodes[3]
	toAll := a.bench(fmt.Sprint("all", try), 800, 4096, "asyncsync", 200, "*")
	elsewhere := c.bench(fmt.Sprint("elsewhere", try), 800, 4096, "asyncsync", 200, d.addr)
	toAll.reached(100)
	since := time.Now()
	begin(stuck)
	toAll.allAt(c, d)
	elsewhere.acked()
	elsewhere.allAt(d)
	usual := elsewhere.silence(d, since)
	for _, n := range []*node{c, d} {
		got := toAll.silence(n, since)
		l.t.Logf("longest silence at %s: %v, elsewhere %v", n.name, got, usual)
		excess = max(excess, got-usual)
	}
	if q := a.stat().QueueBytes; q > queueLimit {
		l.t.Errorf("%d bytes wait, want at most %d", q, queueLimit)
	}
	if toAll.blames(stuck) == 0 {
		l.t.Error("no send failed although a destination was stuck")
	}
	end(stuck)
	return excess
}

// A member that takes ten messages a second slows nobody else down.
func TestSlowMember(t *testing.T) {
	l := newLab(t, 3)
	nodes := l.startAll()
	a, slow, c := nodes[0], nodes[1], nodes[2]
	m := l.mark()
	slow.set("recvDelayMs", 100)
	begin := time.Now()
	toAll := a.bench("all", 400, 1024, "asyncsync", 100, "*")
	toAll.allAt(c)
	arrived := toAll.arrivedAt(c)
	inTime(t, "400 messages at 100 per second", begin, arrived[len(arrived)-1].at, 4400*time.Millisecond)
	if toAll.blames(slow) == 0 {
		t.Error("no send failed although a destination was slower than the ack timeout allows")
	}
	slow.set("recvDelayMs", 0)
	l.exchange(nodes...)
	l.unchanged(m, nodes...)
	l.check()
}

// A process without descriptors keeps what it has, waits without effort, and
// accepts again when there are some.
func TestNoDescriptors(t *testing.T) {
	l := newLab(t, 3)
	a, b := l.start(0), l.start(1)
	l.whole(a, b)
	l.exchange(a, b)
	m := l.mark()
	restore := b.limitDescriptors()
	c := l.start(2)
	a.await(0, c.name, joined(c.id))
	before := b.processorTime()
	load := a.bench("live", 300, 1024, "sync", 100, b.addr)
	load.acked()
	load.allAt(b)
	if used := b.processorTime() - before; used > 1500*time.Millisecond {
		t.Errorf("%s used %v of processor time in three seconds without descriptors", b.name, used)
	}
	if n := len(b.logged("cannot accept")); n == 0 || n > 3 {
		t.Errorf("%s logged %d times that it cannot accept, want 1 to 3", b.name, n)
	}
	restore()
	l.whole(a, b, c)
	l.exchange(a, b, c)
	for _, e := range b.since(m[b], isChange) {
		if e.ID == a.id {
			t.Errorf("%s: %s of %s", b.name, e.Ev, a.name)
		}
	}
	l.check()
}

// limitDescriptors lets the process open nothing more, also when a connection ends, and
// returns what undoes that. The limit is on the number of a descriptor, and new ones get the
// lowest that is free: those below eight the process has had since its start.
func (n *node) limitDescriptors() (restore func()) {
	n.l.t.Helper()
	pid := n.cmd.Process.Pid
	most := 0
	for most < 8 {
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, most)); err != nil {
			break
		}
		most++
	}
	var old unix.Rlimit
	n.l.must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old))
	n.l.must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(most), Max: old.Max}, nil))
	return func() {
		n.l.t.Helper()
		n.l.must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil))
	}
}

// processorTime is what the process has used.
func (n *node) processorTime() time.Duration {
	n.l.t.Helper()
	line, err := os.ReadFile("/proc/" + strconv.Itoa(n.cmd.Process.Pid) + "/stat")
	n.l.must(err)
	_, rest, _ := strings.Cut(string(line), ") ") // behind the name, which may have blanks
	fields := strings.Fields(rest)
	var ticks int
	for _, f := range fields[11:13] { // utime and stime
		v, err := strconv.Atoi(f)
		n.l.must(err)
		ticks += v
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
