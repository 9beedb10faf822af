package simulation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// event is told of members. Of each, a Joined is followed by one Left or Failed, and one
// that said goodbye does not come back.
func (n *node) event(_ context.Context, ev membership.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.w.mu.Lock()
	n.w.note("event %s %v %v", n.name, ev.Kind, ev.Member.ID())
	n.w.mu.Unlock()
	before, known := n.sees[ev.Member.Key()]
	here := known && before == membership.Joined
	switch {
	case ev.Kind == membership.Joined && here:
		n.w.fail("%s: %v has joined twice", n.name, ev.Member)
	case ev.Kind == membership.Joined && known && before == membership.Left:
		n.w.fail("%s: %v is back after its goodbye", n.name, ev.Member)
	case ev.Kind != membership.Joined && !here:
		n.w.fail("%s: %v has gone and was not there", n.name, ev.Member)
	}
	n.sees[ev.Member.Key()] = ev.Kind
}

// watchViews looks at the views on which this member has agreed with others: it is in
// each, their terms rise, and whoever has a view of that id has the same members in it.
func (n *node) watchViews() {
	var last uint64
	for {
		v, err := n.g.WaitAgreed(n.ctx, func(v *membership.Agreed) bool { return v.Seq > last })
		if err != nil {
			return
		}
		n.judgeView(v, last)
		last = v.Seq
	}
}

func (n *node) judgeView(v *membership.Agreed, last uint64) {
	w := n.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if v.Find(n.g.Local().Key()) == nil {
		w.wrongly("%s has agreed on a view without itself", n.name)
	}
	if v.Term() <= n.term && last > 0 {
		w.wrongly("%s has a view of term %d after one of term %d", n.name, v.Term(), n.term)
	}
	n.term = v.Term()
	w.note("view %s %v", n.name, v.ID)
	var members strings.Builder
	for _, m := range v.Members {
		fmt.Fprint(&members, m.Key(), " ")
	}
	if other, known := w.views[v.ID]; known && other != members.String() {
		w.wrongly("a view has the members %s and %s", other, members.String())
	}
	w.views[v.ID] = members.String()
}

// agree checks that all have agreed on one view, with all.
func (w *world) agree(ctx context.Context) {
	ids := make(map[membership.ViewID]bool)
	for name, n := range w.running {
		if !n.layers.agrees {
			return
		}
		v, err := n.g.WaitAgreed(ctx, func(v *membership.Agreed) bool { return v.Len() == len(w.running) })
		if err != nil {
			w.fail("%s has not agreed with all", name)
			continue
		}
		ids[v.ID] = true
	}
	if len(ids) > 1 {
		w.fail("all have agreed, on %d views", len(ids))
	}
}

// converge checks that after the faults everybody sees everybody, by views and by events,
// and can send to them.
func (w *world) converge() {
	ctx, cancel := context.WithTimeout(context.Background(), settled)
	defer cancel()
	for name, n := range w.running {
		if err := n.g.WaitView(ctx, n.seesAll); err != nil {
			w.fail("%s does not see exactly the others: %v", name, n.g.View().Members)
		}
	}
	time.Sleep(settled)
	agreed, cancelAgreed := context.WithTimeout(context.Background(), settled)
	defer cancelAgreed()
	w.agree(agreed)
	for name, n := range w.running {
		n.mu.Lock()
		for _, m := range n.g.View().Members {
			if n.sees[m.Key()] != membership.Joined {
				w.fail("%s has %v in its view and no event of it", name, m)
			}
		}
		for key, kind := range n.sees {
			if kind == membership.Joined && n.g.View().Find(key) == nil {
				w.fail("%s had the event of a member that is not in its view", name)
			}
		}
		n.mu.Unlock()
		w.reach(n)
	}
}

func (n *node) seesAll(v *membership.View) bool {
	for name, other := range n.w.running {
		if name != n.name && v.Find(other.g.Local().Key()) == nil {
			return false
		}
	}
	return v.Len() == len(n.w.running)-1
}

// reach sends to everybody; all is well, so all take it.
func (w *world) reach(n *node) {
	ctx, cancel := context.WithTimeout(context.Background(), settled)
	defer cancel()
	to := n.g.View().Members
	if len(to) == 0 {
		return
	}
	if _, err := n.g.Send(ctx, to, payload(to, 9, 1, w.rnd), message.Sync); err != nil {
		w.fail("%s cannot send although all is well: %v", n.name, err)
	}
}

// judge checks, when a member has stopped, that each message it did not wait for has had
// one outcome, and that the layer Order has counted what it did not deliver in order.
func (n *node) judge() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for key, told := range n.w.posted {
		if key.from == n.id && told != 1 {
			n.w.wrongly("message %d of %s had %d outcomes", key.count, n.name, told)
		}
	}
	if s := n.g.Stats().RPC; s.Waiting != 0 {
		n.w.wrongly("%s has stopped and %d calls wait", n.name, s.Waiting)
	}
	if e := n.layers.encrypt; e != nil {
		n.w.dropped[n.name] += e.Stats().TooOld
	}
	if n.layers.order == nil {
		return
	}
	s := n.layers.order.Stats()
	if n.overtaken > 0 && s.Late+s.Recounts == 0 || s.Held != 0 {
		n.w.wrongly("%s: %d messages out of order and nothing counted: %+v", n.name, n.overtaken, s)
	}
	n.w.dropped[n.name] += s.Dropped
}

// judge looks at what is known when all has ended.
func (w *world) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	missing := make(map[string]uint64)
	for d, listened := range w.acked {
		// An ack on arrival says that a message is in the memory of a process; so does that
		// of one that waits for its turn in the layer Order. A crash may take it then.
		if !w.delivered[d] && (listened && !w.stack.rough && !w.stack.split || !w.crashed[d.host]) {
			missing[d.host]++
		}
	}
	for host, n := range missing {
		if n > w.dropped[host] {
			w.wrongly("%d messages were acknowledged by %s and not delivered, %d counted", n, host, w.dropped[host])
		}
	}
	for d := range w.refused {
		if w.delivered[d] {
			w.wrongly("a message to %s was not sent and arrived", d.host)
		}
	}
	if w.outcomes < 100 || len(w.delivered) < 100 || w.replies < 20 {
		w.wrongly("only %d outcomes, %d deliveries and %d replies to calls", w.outcomes, len(w.delivered), w.replies)
	}
}
