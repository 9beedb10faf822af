//go:build interop

package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap"
)

// memberVariable is set in the environment of a process that is to be a member instead of running tests. It holds a
// goConfig as JSON.
const memberVariable = "TRIBES_INTEROP_MEMBER"

// TestMain runs the tests, or a member if it is asked to be one: a member that is to be killed or stopped needs a
// process of its own.
func TestMain(m *testing.M) {
	config, isMember := os.LookupEnv(memberVariable)
	if !isMember {
		leak.Main(m, message.CheckLive)
		return
	}
	if err := memberMain(config, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startGoPeer starts a member of this module in a process of its own. It takes the commands of Java nodes that console
// knows. It is killed when the test ends.
func startGoPeer(ctx context.Context, t *testing.T, c goConfig) *peer {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), memberVariable+"="+string(config))
	p := launch(ctx, t, "Go process", cmd)
	p.name = "Go process on " + p.addr
	return p
}

// memberMain is a member under remote control until its input ends. What it prints and reads is described in
// java/README.md.
func memberMain(config string, in io.Reader, out io.Writer) error {
	var c goConfig
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		return err
	}
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx := context.Background()
	g, err := openMember(ctx, c)
	if err != nil {
		return err
	}
	o := &console{goMember: g, out: json.NewEncoder(out)}
	addr, id := g.identity()
	o.print(0, fields{"event": "started", "member": addr, "id": id, "udpPort": g.group.Local().UDPPort()})
	go o.tell(ctx) // ends with the process
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		o.read(ctx, lines.Text())
	}
	return errors.Join(lines.Err(), g.group.Stop(ctx))
}

// console is a member that reads commands and prints events.
type console struct {
	*goMember
	shared *replmap.Map[string, string] // nil before mapstart
	mu     sync.Mutex
	out    *json.Encoder
}

// fields are those of one event.
type fields map[string]any

// print writes an event that belongs to the numbered command, 0 for none.
func (o *console) print(re int, f fields) {
	f["t"] = time.Now().UnixMilli()
	if re != 0 {
		f["re"] = re
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.out.Encode(f); err != nil {
		slog.Error("print", "err", err)
	}
}

// tell prints the membership events by the names that Java nodes give them.
func (o *console) tell(ctx context.Context) {
	names := map[string]string{eventJoined: "memberAdded", eventLeft: "memberDisappeared", eventFailed: "memberDisappeared"}
	for {
		e, err := o.inbox.take(ctx, func(event) bool { return true })
		if err != nil {
			return
		}
		if name := names[e.Name]; name != "" {
			o.print(0, fields{"event": name, "member": e.Member, "id": e.ID, "alive": e.Alive, "command": e.Command})
		}
	}
}

// read carries out "#NUMBER [bg] COMMAND".
func (o *console) read(ctx context.Context, line string) {
	words := strings.Fields(line)
	re, err := strconv.Atoi(strings.TrimPrefix(words[0], "#"))
	if err != nil {
		o.print(0, fields{"event": "error", "error": err.Error()})
		return
	}
	run := func(words []string) {
		if err := o.run(ctx, re, words); err != nil {
			o.print(re, fields{"event": "error", "cmd": line, "error": err.Error()})
		}
	}
	if words[1] == "bg" {
		go run(words[2:]) // ends with the process, if not before
		return
	}
	run(words[1:])
}

func (o *console) run(ctx context.Context, re int, words []string) error {
	switch words[0] {
	case "quiet", "forget":
		o.recorder.forget()
		o.print(re, fields{"event": "ok"})
	case "stats":
		o.print(re, fields{"event": "stats", "members": o.addresses()})
	case "received":
		return o.received(re, words[1], words[2])
	case "sendbulk":
		return o.sendBulk(ctx, re, words[1:])
	case "mapstart", "mapput", "mapfill", "mapget", "mapremove", "mapdump", "mapdigest", "mapstop":
		return o.maps(ctx, re, words)
	case "memory":
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
			return err
		}
		o.print(re, fields{"event": "memory", "bytes": used.Maxrss << 10})
	case "shutdown":
		if err := o.group.Stop(ctx); err != nil {
			return err
		}
		o.print(re, fields{"event": "stopped"})
		os.Exit(0)
	default:
		return fmt.Errorf("unknown command %q", words[0])
	}
	return nil
}

// received writes the records from a sender's id, or from "all", into a file.
func (o *console) received(re int, from, file string) error {
	var text strings.Builder
	records := o.recorder.from(from)
	for _, r := range records {
		time := "first"
		if r.repeat {
			time = "repeat"
		}
		fmt.Fprintf(&text, "%s %s %s %d %s\n", r.fromID, r.uniqueID, r.sha256, r.length, time)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	o.print(re, fields{"event": "received", "count": len(records)})
	return nil
}

// sendBulk takes DEST OPTIONS SEED COUNT PROFILE THREADS RATE.
func (o *console) sendBulk(ctx context.Context, re int, words []string) error {
	b, err := parseBulk(words)
	if err != nil {
		return err
	}
	s, err := o.bulk(ctx, b)
	if err != nil {
		return err
	}
	for i, err := range s.failures() {
		o.print(re, fields{"event": "bulkFailed", "index": i, "error": err.Error(), "faulty": faulty(err), "failedAttempts": s.more[i]})
	}
	for i, n := range s.more {
		o.print(re, fields{"event": "bulkRetried", "index": i, "failedAttempts": n})
	}
	var to []string
	for _, m := range s.to {
		to = append(to, m.AddrPort().String())
	}
	failed := len(s.failures())
	o.print(re, fields{
		"event": "bulkDone", "count": b.Count, "sent": b.Count - failed, "failed": failed, "retried": len(s.more),
		"micros": s.took.Microseconds(), "digest": b.Series.digest(b.Count), "to": to,
	})
	return nil
}

// parseBulk reads what startBulk writes.
func parseBulk(words []string) (bulkSend, error) {
	if len(words) != 7 {
		return bulkSend{}, fmt.Errorf("sendbulk with %d arguments, want 7", len(words))
	}
	var errs []error
	number := func(word string) int {
		n, err := strconv.Atoi(word)
		errs = append(errs, err)
		return n
	}
	seed, err := strconv.ParseUint(words[2], 10, 64)
	errs = append(errs, err)
	p := mix
	if words[4] != mix.String() {
		p = profile(number(words[4]))
	}
	b := bulkSend{
		To: words[0], Options: number(words[1]), Series: series{seed, p}, Count: number(words[3]),
		Threads: number(words[5]), Rate: number(words[6]),
	}
	return b, errors.Join(errs...)
}
