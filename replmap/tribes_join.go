package replmap

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// call makes a remote call and returns the answers that are messages of the map, in the
// order of the members, and whose they are.
func (t *tribesMap) call(ctx context.Context, to []*membership.Member, timeout time.Duration, m *tribeswire.Message) (from []*membership.Member, answers []*tribeswire.Message, all []group.Answer) {
	if len(to) == 0 {
		return nil, nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, group.ErrTimeout)
	defer cancel()
	body := group.Body{Kind: group.BodyObject, Object: t.message(m).Object()}
	all, err := t.rpc.CallBody(ctx, to, body, group.AllReplies, group.RequestOptions(message.UseAck))
	if err != nil {
		t.log.Debug("not all have answered", "question", m.Type, "err", err)
	}
	for i := range all {
		a := &all[i]
		if a.Outcome != group.CallReplied || a.Kind != group.BodyObject {
			continue
		}
		x, err := tribeswire.Of(a.Object)
		if err != nil || string(x.Map) != t.id {
			t.n.malformed.Add(1)
			continue
		}
		from, answers = append(from, a.Member), append(answers, x)
	}
	return from, answers, all
}

// join is the start of a map: who has it, a word to all, and all entries from one of those.
func (t *tribesMap) join(ctx context.Context) {
	wait, cancel := context.WithTimeout(ctx, t.discover)
	err := t.group.WaitMembers(wait, 1)
	cancel()
	if err != nil && ctx.Err() != nil {
		return
	}
	for ctx.Err() == nil {
		members := t.group.View().Members
		from, _, _ := t.call(ctx, members, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Init, Primary: t.local()})
		for _, m := range from {
			t.found(m, false)
		}
		// Java nodes say so after the state transfer, and miss what is written in between.
		started, _, _ := t.call(ctx, members, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Start, Primary: t.local()})
		for _, m := range started {
			t.found(m, false)
		}
		others, _ := t.members() // who has not answered the first question may have heard the second
		others = slices.DeleteFunc(others, func(m *membership.Member) bool { return contains(from, m.ID()) })
		err := t.transfer(ctx, append(from, others...))
		if err == nil {
			break
		}
		t.log.Warn("no member has given its entries, they are asked again", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.budget):
		}
	}
	if ctx.Err() != nil {
		return
	}
	t.advance(tribeswire.Initialized)
	close(t.isReady)
	t.log.Info("entries are here", "entries", t.table.Len())
}

func (t *tribesMap) advance(state string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.state = state
	}
}

var errNoState = errors.New("tribes: replmap: no state transfer")

// transfer gets all entries from the first of some members that gives them. What is heard
// meanwhile is newer.
func (t *tribesMap) transfer(ctx context.Context, from []*membership.Member) error {
	if len(from) == 0 {
		return nil
	}
	heard, stop := t.hear()
	defer stop()
	for _, m := range from {
		all, err := t.stateOf(ctx, m)
		if err != nil {
			t.log.Warn("state transfer goes on elsewhere", "member", m, "err", err)
			continue
		}
		t.foundIn(all)
		for _, x := range all {
			switch {
			case heard(string(x.Key)):
			case t.cfg.Lazy:
				t.takeLazy(x, m, 0)
			default:
				t.take(x, m.ID(), 0)
			}
		}
		t.n.transferred.Add(uint64(len(all)))
		t.mu.Lock()
		t.provider = m
		t.mu.Unlock()
		return nil
	}
	return errNoState
}

// foundIn finds the members that entries name: the group may not have told of all yet.
func (t *tribesMap) foundIn(all []*tribeswire.Message) {
	seen := map[membership.ID]bool{t.local().ID(): true}
	for _, x := range all {
		for _, m := range append([]*membership.Member{x.Primary}, x.Nodes...) {
			if m != nil && !seen[m.ID()] {
				seen[m.ID()] = true
				t.found(m, false)
			}
		}
	}
}

// stateOf asks a member for all that it has.
func (t *tribesMap) stateOf(ctx context.Context, m *membership.Member) ([]*tribeswire.Message, error) {
	_, answers, _ := t.call(ctx, []*membership.Member{m}, t.cfg.Timeout, &tribeswire.Message{Type: t.stateType()})
	if len(answers) == 0 || answers[0].Value == nil {
		return nil, errNoState
	}
	all, others, err := tribeswire.ListOf(answers[0].Value)
	if others > 0 {
		t.n.malformed.Add(uint64(others))
	}
	return all, err
}

// take makes an entry what a message of another member says. If this member has told others
// a moment ago what the entry was until now, as when it took it over, then they may have
// heard that last though it is older: so it says what the entry is now.
func (t *tribesMap) take(m *tribeswire.Message, from membership.ID, sent int64) {
	key := string(m.Key)
	t.taking.Lock()
	defer t.taking.Unlock()
	t.mu.Lock()
	if p := t.places[key]; p != nil && p.overtaken(from, sent) {
		t.mu.Unlock()
		return
	}
	t.hears(key, sent)
	p := t.place(key)
	if m.Type != tribeswire.Remove && p.known && samePrimary(m.Primary, t.local()) && samePrimary(p.primary, t.local()) {
		p.hear(true)
		t.mu.Unlock()
		return // an echo: what this member has written is not news to it
	}
	overtaken := sent != 0 && !p.relayed.IsZero() && time.Since(p.relayed) < t.cfg.Access
	p.relayed = time.Time{}
	p.primary, p.nodes, p.orphan, p.known = m.Primary, m.Nodes, !t.knows(m.Primary), true
	p.from, p.sent, p.came = from, sent, time.Now()
	p.hear(true)
	t.mu.Unlock()
	if m.Type == tribeswire.Remove {
		t.forget(key)
	}
	t.table.Write(entry.Entry{Key: key, Value: m.Value, Gone: m.Type == tribeswire.Remove, Lifetime: entry.Forever}, nil)
	if overtaken {
		t.sayAgain(key, true, nil)
	}
}

// stateType is the question for all entries of the kind of map.
func (t *tribesMap) stateType() tribeswire.Type {
	if t.cfg.Lazy {
		return tribeswire.State
	}
	return tribeswire.StateCopy
}

// entries returns all entries as the answer to it has them: with values, or whose they are.
func (t *tribesMap) entries() (all []*tribeswire.Message) {
	if !t.cfg.Lazy {
		for e := range t.table.All() {
			all = append(all, t.copyOf(&e))
		}
		return all
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, p := range t.places {
		if p.known {
			all = append(all, t.message(&tribeswire.Message{Type: tribeswire.Proxy, Key: []byte(key), Primary: p.primary, Nodes: p.nodes}))
		}
	}
	return all
}

// give returns the answer to the question for all entries. A map that is being filled itself waits for that,
// unless who asks may be waiting for it.
func (t *tribesMap) give(ctx context.Context, to *membership.Member) ([]byte, error) {
	mine, its := t.local().ID(), to.ID()
	if string(mine[:]) > string(its[:]) {
		timer := time.NewTimer(t.cfg.Timeout / 2)
		defer timer.Stop()
		select {
		case <-t.isReady:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return tribeswire.ListValue(t.entries())
}
