//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// peerConfig says how a node is set up. The zero value of a field leaves the driver's default, which makes short
// tests short; what has no field here can be said with Flags.
type peerConfig struct {
	Group     string        // multicast group:port, from freeGroup; needed unless Static is used
	Static    []string      // the other members as host:port:id, from staticConfigs; instead of multicast
	ID        string        // own unique id, only with Static
	Name      string        // channel name; static members must agree on it
	Port      int           // TCP port; a free one by default
	Stack     string        // interceptors from the top; "tcpfd,dispatch" by default
	Frequency time.Duration // between heartbeats; 100 ms by default
	Drop      time.Duration // silence after which a member is gone; 1.5 s by default
	Heap      string        // the JVM's, as for -Xmx; 256m by default, but frag copies 5 MiB for each part: 1g
	Flags     []string      // more flags of EchoPeer, name and value in turn
}

// withDefaults is c with everything filled in that a node needs.
func (c peerConfig) withDefaults(t *testing.T) peerConfig {
	t.Helper()
	if c.Group == "" && c.Static == nil {
		t.Fatal("a node needs a Group or a Static list")
	}
	if c.Port == 0 {
		c.Port = freePort(t)
	}
	if c.Stack == "" {
		c.Stack = "tcpfd,dispatch"
	}
	if c.Frequency == 0 {
		c.Frequency = 100 * time.Millisecond
	}
	if c.Drop == 0 {
		c.Drop = 1500 * time.Millisecond
	}
	if c.Heap == "" {
		c.Heap = "256m"
	}
	return c
}

// flags is the command line of EchoPeer.
func (c peerConfig) flags() []string {
	frequency, drop := strconv.FormatInt(c.Frequency.Milliseconds(), 10), strconv.FormatInt(c.Drop.Milliseconds(), 10)
	flags := []string{"--port", strconv.Itoa(c.Port), "--stack", c.Stack}
	if c.Name != "" {
		flags = append(flags, "--name", c.Name)
	}
	if c.Static == nil {
		flags = append(flags, "--mcast", c.Group, "--mcast-bind", "127.0.0.1", "--freq", frequency, "--drop", drop)
	} else {
		flags = append(flags, "--local-id", c.ID, "--expire", drop, "--ping-thread", "true", "--ping-interval", frequency)
		flags = append(flags, "--heartbeat", drop)
	}
	for _, member := range c.Static {
		flags = append(flags, "--static", member)
	}
	return append(flags, c.Flags...)
}

// peer is a running node in a process of its own: one of Java, or one of this module that takes the same commands. Its
// methods fail the test they were started for, so they are for the goroutine of that test.
type peer struct {
	t        *testing.T
	name     string // for messages: version and address
	addr     string // host:port
	id       string // unique id, hex
	udpPort  int
	tomcat   string // full version of the jars; empty for a node of this module
	process  *process
	commands int // sent so far
}

// startPeer starts a node of the given line and returns when its channel runs. The node is killed when the test ends.
func startPeer(ctx context.Context, t *testing.T, v version, c peerConfig) *peer {
	t.Helper()
	c = c.withDefaults(t)
	args := append([]string{
		"-Djava.net.preferIPv4Stack=true", // binding a group needs it
		"-Xmx" + c.Heap, "-XX:+UseSerialGC",
		"-XX:+ExitOnOutOfMemoryError", // else threads of the node die in silence, and the test waits for them
		"-cp", v.classPath(t), "EchoPeer",
	}, c.flags()...)
	return launch(ctx, t, fmt.Sprintf("%s on port %d", v, c.Port), exec.Command(javaCommand(), args...))
}

// launch runs cmd as a node and returns when it has started. The node is killed when the test ends.
func launch(ctx context.Context, t *testing.T, name string, cmd *exec.Cmd) *peer {
	t.Helper()
	p := &peer{t: t, name: name}
	var err error
	if p.process, err = startProcess(cmd); err != nil {
		t.Fatalf("start %s: %v", p.name, err)
	}
	t.Cleanup(p.cleanUp)
	e := p.waitEvent(ctx, "started", nil)
	p.addr, p.id, p.udpPort, p.tomcat = e.Member, e.ID, e.UDPPort, e.Tomcat
	return p
}

// cleanUp ends the node, without ceremony, and shows what it said if the test failed.
func (p *peer) cleanUp() {
	if err := p.process.kill(); err != nil {
		p.t.Errorf("%s: kill: %v", p.name, err)
	}
	if err := p.process.malformed(); err != nil {
		p.t.Errorf("%s: %v", p.name, err)
	}
	if p.t.Failed() {
		p.t.Logf("last output of %s:\n%s", p.name, p.process.recent())
	}
}

// waitEvent takes the oldest event of that name that matches (nil: any) and was not taken before.
func (p *peer) waitEvent(ctx context.Context, name string, match func(event) bool) event {
	p.t.Helper()
	e, err := p.process.inbox.take(ctx, func(e event) bool { return e.Name == name && (match == nil || match(e)) })
	if err != nil {
		p.t.Fatalf("%s: wait for %s: %v", p.name, name, err)
	}
	return e
}

// events takes all events of that name that have arrived and match (nil: any). It does not wait.
func (p *peer) events(name string, match func(event) bool) []event {
	return p.process.inbox.takeAll(func(e event) bool { return e.Name == name && (match == nil || match(e)) })
}

// member is who a node is to others.
type member interface {
	identity() (addr, id string)
}

func (p *peer) identity() (addr, id string) { return p.addr, p.id }

func (p *peer) String() string { return p.name }

// about matches the membership events that speak of m.
func about(m member) func(event) bool {
	addr, id := m.identity()
	return func(e event) bool { return e.Member == addr && e.ID == id }
}

// awaitJoin waits until the node is told that m has joined.
func (p *peer) awaitJoin(ctx context.Context, m member) event {
	p.t.Helper()
	return p.waitEvent(ctx, "memberAdded", about(m))
}

// command sends a line to the node and returns its number, by which answer finds what comes back. A line that begins
// with "bg " does not hold up the following ones.
func (p *peer) command(line string) int {
	p.t.Helper()
	p.commands++
	number := p.commands
	if err := p.process.writeLine(fmt.Sprintf("#%d %s", number, line)); err != nil {
		p.t.Fatalf("%s: %s: %v", p.name, line, err)
	}
	return number
}

// answer waits for the first event of the numbered command that has one of the names. A command that the node
// refuses fails the test, unless "error" is among the names.
func (p *peer) answer(ctx context.Context, number int, names ...string) event {
	p.t.Helper()
	e, err := p.process.inbox.take(ctx, func(e event) bool {
		return e.Re == number && (e.Name == "error" || slices.Contains(names, e.Name))
	})
	if err != nil {
		p.t.Fatalf("%s: wait for %s: %v", p.name, strings.Join(names, " or "), err)
	}
	if !slices.Contains(names, e.Name) {
		p.t.Fatalf("%s: wait for %s: %s", p.name, strings.Join(names, " or "), e.Error)
	}
	return e
}

// call is command and answer in one.
func (p *peer) call(ctx context.Context, line string, names ...string) event {
	p.t.Helper()
	return p.answer(ctx, p.command(line), names...)
}

// members are the addresses of the other members that the node sees.
func (p *peer) members(ctx context.Context) []string {
	p.t.Helper()
	return p.call(ctx, "stats", "stats").Members
}

// send sends payload and returns the sent event; a send that fails fails the test. To is "all", an address or an id.
func (p *peer) send(ctx context.Context, to string, options int, payload []byte) event {
	p.t.Helper()
	text := "-"
	if len(payload) > 0 {
		text = fmt.Sprintf("%x", payload)
	}
	e := p.call(ctx, fmt.Sprintf("send %s %d %s", to, options, text), "sent", "sendFailed")
	if e.Name != "sent" {
		p.t.Fatalf("%s: send to %s: %s %s, faulty %v", p.name, to, e.Error, e.Message, e.Faulty)
	}
	return e
}

// leave stops the channel in order, so that the others are told, and waits for the end of the process.
func (p *peer) leave(ctx context.Context) {
	p.t.Helper()
	p.command("shutdown")
	p.waitEvent(ctx, "stopped", nil)
	if err := p.process.wait(ctx); err != nil {
		p.t.Fatalf("%s: leave: %v", p.name, err)
	}
}

// pause freezes the process until resume is called. Its kernel still accepts connections.
func (p *peer) pause() { p.signal(syscall.SIGSTOP) }

// resume lets a frozen process go on.
func (p *peer) resume() { p.signal(syscall.SIGCONT) }

func (p *peer) signal(s os.Signal) {
	p.t.Helper()
	if err := p.process.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("%s: %v: %v", p.name, s, err)
	}
}

// kill ends the process at once, as kill -9 does, and returns when it is gone.
func (p *peer) kill() {
	p.t.Helper()
	if err := p.process.kill(); err != nil {
		p.t.Fatalf("%s: kill: %v", p.name, err)
	}
}
