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
	if m.Type != tribeswire.Stop {
		// Who says something about the map has it, and may have had it for long. With Lazy
		// the next comparison finds what it knows: to merge with it would set what is here
		// against what it says just now.
		t.found(from, !t.cfg.Lazy && m.Type != tribeswire.Start && t.ready())
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

// absentValue is a value that a message does not have, which is to be asked for.
type absentValue struct {
	m      *tribeswire.Message
	from   *membership.Member
	before stance // of the key when the message came
}

// fetch asks a member for a value that a message does not have: it carries a difference,
// which only Java can apply, or the entry is not here though it should be. For each key one
// member is asked at a time; of what comes meanwhile the last counts.
func (t *tribesMap) fetch(m *tribeswire.Message, from *membership.Member) {
	key := string(m.Key)
	x := &absentValue{m, from, t.stand(key)}
	t.mu.Lock()
	_, busy := t.fetching[key]
	t.fetching[key] = x
	t.mu.Unlock()
	if busy {
		return
	}
	t.later(func(ctx context.Context) {
		for x := t.nextFetch(key); x != nil; x = t.nextFetch(key) {
			t.fetchNow(ctx, key, x)
		}
	})
}

// nextFetch takes what is to be fetched of a key; nil is nothing any more.
func (t *tribesMap) nextFetch(key string) *absentValue {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.fetching[key]
	if x == nil {
		delete(t.fetching, key)
	} else {
		t.fetching[key] = nil
	}
	return x
}

// fetchNow is fetch for one message. What was heard of the key since that came is newer.
func (t *tribesMap) fetchNow(ctx context.Context, key string, x *absentValue) {
	_, answers, _ := t.call(ctx, []*membership.Member{x.from}, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Retrieve, Key: x.m.Key})
	if len(answers) == 0 || answers[0].Value == nil {
		return // it has gone meanwhile
	}
	now := t.stand(key)
	if now.since(x.before, !t.cfg.Lazy) {
		return
	}
	t.n.repaired.Add(1)
	m := &tribeswire.Message{Type: tribeswire.Copy, Key: x.m.Key, Value: answers[0].Value, Primary: x.m.Primary, Nodes: x.m.Nodes}
	if t.cfg.Lazy {
		m.Type = tribeswire.Backup
		t.takeLazy(m, x.from, 0)
	} else {
		t.take(m, x.from.ID(), 0)
	}
	after := t.stand(key)
	t.mu.Lock()
	defer t.mu.Unlock()
	if next := t.fetching[key]; next != nil && !now.since(next.before, !t.cfg.Lazy) {
		next.before = after // this is not what would be newer
	}
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
