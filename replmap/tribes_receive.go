package replmap

import (
	"context"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// objects takes the messages of the map that are no remote calls.
type objects struct{ t *tribesMap }

// Accept implements channel.Listener.
func (o objects) Accept(m *message.Message) bool {
	return !m.Options.Has(message.ByteMessage) && tribeswire.Is(m.Payload())
}

// Receive implements channel.Listener. When it returns nil, what the message says is
// applied here.
func (o objects) Receive(_ context.Context, m *message.Message) error {
	x, err := tribeswire.Decode(append([]byte(nil), m.Payload()...)) // key and value stay
	if err != nil {
		o.t.n.malformed.Add(1)
		return err
	}
	if string(x.Map) == o.t.id {
		o.t.heard(x, m.Source, m.Sent)
	}
	return nil
}

// heard takes a message of another member.
func (t *tribesMap) heard(m *tribeswire.Message, from *membership.Member, sent int64) {
	if m.Type != tribeswire.Stop { // who says something about the map has it, and may have had it for long
		t.found(from, m.Type != tribeswire.Start && t.ready())
	}
	if t.cfg.Lazy && m.Key != nil {
		t.heardLazy(m, from, sent)
		return
	}
	switch m.Type {
	case tribeswire.Copy, tribeswire.Backup:
		if m.Diff || m.Value == nil && m.Key != nil {
			t.fetch(m, from)
		} else if m.Key != nil {
			t.take(m, from.ID(), sent)
		}
	case tribeswire.Remove:
		if m.Key != nil {
			t.take(m, from.ID(), sent)
		}
	case tribeswire.Notify, tribeswire.Access:
		if t.apart(from) {
			return // whose the entries are is settled with the entries
		}
		if m.Key != nil && !t.moved(m) && len(t.table.States([]string{string(m.Key)})) == 0 && t.ready() {
			t.fetch(m, from) // never heard of it
		}
	case tribeswire.Start:
		t.found(from, false)
	case tribeswire.Stop:
		t.gone(from.ID(), false)
	default:
		t.n.rejected.Add(1)
		t.log.Debug("message of another kind of map", "member", from, "type", m.Type)
	}
}

// apart reports whether a member is back and not merged with.
func (t *tribesMap) apart(m *membership.Member) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, open := t.reuniting[m.ID()]
	return open
}

// moved notes the primary of an entry. It reports whether the entry is known.
func (t *tribesMap) moved(m *tribeswire.Message) bool {
	if _, there := t.table.Get(string(m.Key)); !there {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(string(m.Key))
	p.primary, p.nodes, p.orphan = m.Primary, m.Nodes, !t.knows(m.Primary)
	p.hear(false)
	return true
}

// fetch asks a member for a value that a message does not have: it carries a difference,
// which only Java can apply, or the entry is not here though it should be.
func (t *tribesMap) fetch(m *tribeswire.Message, from *membership.Member) {
	t.later(func(ctx context.Context) {
		before := t.stand(string(m.Key)).told
		_, answers, _ := t.call(ctx, []*membership.Member{from}, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Retrieve, Key: m.Key})
		if len(answers) == 0 || answers[0].Value == nil {
			return // it has gone meanwhile
		}
		t.n.repaired.Add(1)
		if t.cfg.Lazy {
			if t.stand(string(m.Key)).told == before {
				t.takeLazy(&tribeswire.Message{Type: tribeswire.Backup, Key: m.Key, Value: answers[0].Value, Primary: m.Primary, Nodes: m.Nodes}, from, 0)
			}
			return
		}
		t.take(&tribeswire.Message{Type: tribeswire.Copy, Key: m.Key, Value: answers[0].Value, Primary: m.Primary, Nodes: m.Nodes}, from.ID(), 0)
	})
}

// asked answers remote calls.
func (t *tribesMap) asked(ctx context.Context, req *group.Request) (group.Body, error) {
	none := group.Body{Kind: group.BodyNull}
	if req.Kind != group.BodyObject {
		return none, nil
	}
	m, err := tribeswire.Of(req.Object)
	if err != nil || string(m.Map) != t.id {
		t.n.malformed.Add(1)
		return none, err
	}
	if t.now() == tribeswire.Destroyed && m.Type != tribeswire.Retrieve && m.Type != tribeswire.Ping {
		return none, nil // it has said goodbye, or is about to
	}
	a := &tribeswire.Message{Type: m.Type, Key: m.Key, Primary: t.local()}
	switch m.Type {
	case tribeswire.Init:
		if !t.cfg.Lazy { // the list of entries would make a proxy of what it was given before
			t.found(req.From, false)
		}
	case tribeswire.Start:
		t.found(req.From, false)
	case tribeswire.Ping:
		a.Value, err = tribeswire.StateValue(t.now())
		t.sees(req.From.ID())
	case t.stateType():
		a.Primary = nil
		a.Value, err = t.give(ctx, req.From)
	case tribeswire.Retrieve:
		if a.Value = t.valueFor(ctx, string(m.Key), req.From); a.Value == nil {
			return none, nil
		}
	default:
		t.n.rejected.Add(1)
		return none, nil
	}
	return group.Body{Kind: group.BodyObject, Object: t.message(a).Object()}, err
}

func (t *tribesMap) now() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state
}

// late hears of answers that came after their call: who answers has the map, and was not
// asked for its entries.
func (t *tribesMap) late(from *membership.Member, reply group.Body) {
	if reply.Kind != group.BodyObject {
		return
	}
	m, err := tribeswire.Of(reply.Object)
	if err == nil && string(m.Map) == t.id && (m.Type == tribeswire.Init || m.Type == tribeswire.Start) {
		t.found(from, true)
	}
}
