package show

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// hear takes an event of a member.
func (d *demo) hear(n note) error {
	i := d.index(n.child)
	if i < 0 {
		return nil // of a process that was killed and replaced
	}
	if n.gone != nil {
		if i == d.victim && !d.killed.IsZero() {
			return nil
		}
		return fmt.Errorf("member %s ended unexpectedly: %v", n.child.name, n.gone)
	}
	switch l := n.line; l.Ev {
	case "started":
		d.out.say("member %s is up at %s, id %s", n.child.name, l.Member, short(l.ID))
	case "memberAdded":
		d.out.say("  %s sees %s join", n.child.name, d.nameOf(l.Member))
		d.joined(i)
	case "memberDisappeared":
		d.gone(i, l)
	case "stats":
		d.count(i, l)
	}
	return nil
}

func (d *demo) index(c *child) int {
	for i := range d.children {
		if d.children[i] == c {
			return i
		}
	}
	return -1
}

// nameOf is the letter of the member at that address, or the address of a
// member that is not ours.
func (d *demo) nameOf(addr string) string {
	for _, c := range d.children {
		if c != nil && c.addr == addr {
			return c.name
		}
	}
	return addr
}

// joined notes that member i sees one more, and tells when the group is whole.
func (d *demo) joined(i int) {
	d.seen[i].members++
	if c := d.children[i]; !c.busy {
		c.busy = true
		c.command(load)
	}
	if d.whole {
		return
	}
	for k := range d.seen {
		if d.seen[k].members < members-1 {
			return
		}
	}
	d.next = time.Now().Add(calm)
	d.out.say("the group is whole, %v after the start", time.Since(d.began).Round(time.Millisecond))
	if !d.formed {
		d.out.say("now each second: how many others a member sees, messages in, messages acked")
	}
	d.whole, d.formed = true, true
}

func (d *demo) gone(i int, l line) {
	if d.seen[i].members > 0 {
		d.seen[i].members--
	}
	how := "fail"
	if l.Shutdown {
		how = "leave"
	}
	after := ""
	if !d.killed.IsZero() && l.Member == d.children[d.victim].addr {
		after = fmt.Sprintf(", %v after the kill", time.Since(d.killed).Round(time.Millisecond))
	}
	d.out.say("  %s sees %s %s%s", d.children[i].name, d.nameOf(l.Member), how, after)
}

func (d *demo) count(i int, l line) {
	c := &d.seen[i]
	if failed := l.Failed - c.failed; l.Failed > c.failed {
		d.out.say("  %s: sends that failed: %d", d.children[i].name, failed)
	}
	c.rate, c.ackRate = l.Received-c.received, l.Acked-c.acked
	c.received, c.acked, c.failed = l.Received, l.Acked, l.Failed
	c.members = uint64(len(l.Members))
}

// status shows the rates of the last second and asks for the next ones.
func (d *demo) status() {
	var b strings.Builder
	for i, c := range d.children {
		if i == d.victim && !d.killed.IsZero() {
			fmt.Fprintf(&b, " | %s: %-18s", c.name, "down")
			continue
		}
		s := d.seen[i]
		fmt.Fprintf(&b, " | %s: %d, in %3d, ack %3d", c.name, s.members, s.rate, s.ackRate)
		c.command("stats")
	}
	d.out.say("%s", strings.TrimRight(b.String()[len(" | "):], " "))
}

func short(id string) string { return id[:min(8, len(id))] }

// display writes lines with the time since the first one.
type display struct {
	w     io.Writer
	first time.Time
}

func (s *display) say(format string, args ...any) {
	if s.first.IsZero() {
		s.first = time.Now()
	}
	fmt.Fprintf(s.w, "%6.2fs  %s\n", time.Since(s.first).Seconds(), fmt.Sprintf(format, args...))
}
