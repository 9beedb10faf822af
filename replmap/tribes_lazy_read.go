package replmap

import (
	"context"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/tribeswire"
)

// find returns the entry of a key that this member may have no value of. Then it gets the
// value and becomes the primary of the key, as Java nodes do.
func (t *tribesMap) find(ctx context.Context, key string) (entry.Entry, bool, error) {
	for t.cfg.Lazy {
		if e, there := t.table.Get(key); there {
			return e, true, nil
		}
		p, known := t.whose(key)
		if !known {
			break
		}
		value := t.retrieve(ctx, key, &p, nil)
		if err := ctx.Err(); err != nil {
			return entry.Entry{}, false, context.Cause(ctx)
		}
		e, done := t.bring(key, value, p.told)
		if !done {
			continue // another member has said something meanwhile
		}
		if value == nil {
			return entry.Entry{}, false, ErrNoHolder
		}
		to, _ := t.members()
		return e, true, t.spread(ctx, to, key)
	}
	return entry.Entry{}, false, nil
}

// bring makes this member the primary of a key whose value it was given, unless something
// was said about the key since it had been told so many things; then it reports false.
func (t *tribesMap) bring(key string, value []byte, told int) (entry.Entry, bool) {
	t.taking.Lock()
	defer t.taking.Unlock()
	if p, known := t.whose(key); !known || p.told != told {
		return entry.Entry{}, false
	}
	if value == nil {
		return entry.Entry{}, true
	}
	e, _ := t.table.Write(entry.Entry{Key: key, Value: value, Lifetime: entry.Forever}, nil)
	t.own(key, nil)
	return e, true
}

// retrieve asks who has the value of a key for it: the primary, whose is the newest, then
// the backup. Who asks itself is left out. If nobody gives it then what was here a moment ago
// is the best that there is; nil is nothing.
func (t *tribesMap) retrieve(ctx context.Context, key string, p *place, not *membership.Member) []byte {
	others, _ := t.members()
	asked := map[membership.ID]bool{t.local().ID(): true}
	if not != nil {
		asked[not.ID()] = true
	}
	for _, m := range append([]*membership.Member{p.primary}, p.nodes...) {
		if m == nil || asked[m.ID()] || !contains(others, m.ID()) {
			continue
		}
		asked[m.ID()] = true
		_, answers, _ := t.call(ctx, []*membership.Member{m}, t.cfg.Timeout, &tribeswire.Message{Type: tribeswire.Retrieve, Key: []byte(key)})
		if len(answers) > 0 && answers[0].Value != nil {
			return answers[0].Value
		}
	}
	return p.spare
}

// valueFor answers a member that asks for the value of a key. Java nodes ask the backup
// that they know of; if that is this member, and it is none any more, it asks for them.
func (t *tribesMap) valueFor(ctx context.Context, key string, from *membership.Member) []byte {
	if e, there := t.table.Get(key); there {
		return e.Value
	}
	p, known := t.whose(key)
	if !t.cfg.Lazy || !known || !t.asking(key, true) {
		return nil
	}
	defer t.asking(key, false)
	return t.retrieve(ctx, key, &p, from)
}

// asking notes that a key is asked for on behalf of another member, so that two do not ask
// each other in turn. It reports false if it is already.
func (t *tribesMap) asking(key string, begins bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !begins {
		delete(t.asks, key)
		return true
	}
	if t.asks[key] {
		return false
	}
	t.asks[key] = true
	return true
}
