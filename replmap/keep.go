package replmap

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gotribes/tribes/replmap/internal/entry"
	"github.com/gotribes/tribes/replmap/internal/mapwire"
)

// look has a key looked at if its value is not where it is to be: at once if it is to be
// here and is not; else when who has written it has had the time to say that all have it.
func (n *native) look(key string) {
	if n.backups == 0 || !n.ready() { // then all is looked at
		return
	}
	e, there := n.table.Peek(key)
	if !there {
		return
	}
	switch here := n.holdsHere(key); {
	case here && e.Proxy:
		n.att.add(key, glance{at: time.Now()})
	case !e.Proxy && (!here || !e.Placed):
		n.att.add(key, glance{at: n.after(2 * n.budget)})
	}
}

// after is in a while, rounded up so that many keys are looked at together. It is not a time of
// day alone, as Truncate makes it: that may be set back.
func (n *native) after(d time.Duration) time.Time {
	step := max(n.budget/4, time.Millisecond)
	at := time.Now().Add(d + step)
	return at.Add(-time.Duration(at.UnixNano() % int64(step)))
}

// keep brings values to where they are to be, whenever that may have changed: what is to
// be here and is not is asked for; what is here and is not to be stays until all that are
// to have it say that they do.
func (n *native) keep(ctx context.Context) {
	select {
	case <-n.isReady:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		due, all, rest := n.att.take()
		if all || len(due) > 0 {
			n.attend(ctx, due, all)
			continue
		}
		select {
		case <-n.att.wake:
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
}

// attend looks at keys, or at all.
func (n *native) attend(ctx context.Context, due map[string]int, all bool) {
	epoch, r := n.epoch.Load(), n.roster()
	var lacks []string
	var strays []*stray
	sort := func(e *entry.Entry) {
		others, here := r.split(e.Key)
		n.att.note(e.Key, here && e.Proxy)
		switch {
		case here && e.Proxy:
			lacks = append(lacks, e.Key)
		case !e.Proxy && (!here || !e.Placed):
			strays = append(strays, &stray{state: e.State(), others: others, here: here, placed: e.Placed, enough: len(r.nodes) >= r.want})
		}
	}
	if all {
		for e := range n.table.All() {
			sort(&e)
		}
	} else {
		for _, key := range slices.Sorted(maps.Keys(due)) {
			if e, there := n.table.Peek(key); there {
				sort(&e)
			} else {
				n.att.note(key, false)
			}
		}
	}
	later := func(key string) {
		tries := due[key] + 1
		n.att.add(key, glance{at: n.after(min(n.budget<<min(tries, 10), n.repair)), tries: tries})
	}
	for _, key := range n.pull(ctx, lacks) {
		later(key)
	}
	for _, key := range n.settle(ctx, epoch, strays) {
		later(key)
	}
}

// pull asks for values that are to be here. It returns the keys of those that did not come.
func (n *native) pull(ctx context.Context, keys []string) []string {
	if len(keys) == 0 {
		return nil
	}
	h := n.newHarvest()
	h.came = func(key string) {
		if n.att.got(key) {
			n.n.relocated.Add(1)
		}
	}
	left := h.collect(ctx, keys)
	open := make(map[string]bool, len(left))
	for _, key := range left {
		open[key] = true
	}
	for _, key := range keys {
		if !open[key] {
			h.came(key) // by itself
		}
	}
	return left
}

// stray is a value here that is not to be here, or of which it is not known whether all
// have it that are to.
type stray struct {
	state        entry.State
	others       []*peer // that are to have it
	here, placed bool
	enough       bool    // there are as many members as are to have it
	lacks        []*peer // those of them that have a proxy
	has, holds   int     // how many of the others have it, and how many take themselves for one that is to
}

// settle finds out whether all that are to have the values of strays do, and gives them to
// those that do not know of them. What all have goes, if it is not to be here. It returns the
// keys of those that are to be looked at again.
func (n *native) settle(ctx context.Context, epoch uint64, strays []*stray) (again []string) {
	n.checkAll(ctx, strays)
	var placed []entry.State
	for _, s := range strays {
		all := s.has == len(s.others)
		if all && !s.placed && s.enough {
			n.table.Place(s.state)
			placed = append(placed, s.state)
		}
		if !all || !s.here && (s.holds < len(s.others) || !n.dropAt(epoch, s.state)) {
			again = append(again, s.state.Key)
		}
	}
	for len(placed) > 0 {
		k := min(len(placed), n.blockEntries)
		select {
		case <-n.tell(placed[:k], n.peers.All()):
		case <-ctx.Done():
		}
		placed = placed[k:]
	}
	return again
}

// checkAll asks all peers that are to have strays whether they do.
func (n *native) checkAll(ctx context.Context, strays []*stray) {
	of := make(map[*peer][]*stray)
	for _, s := range strays {
		for _, p := range s.others {
			of[p] = append(of[p], s)
		}
	}
	var mu sync.Mutex // of has and holds
	var questions sync.WaitGroup
	for p, all := range of {
		questions.Go(func() {
			for part := range slices.Chunk(all, n.blockEntries) {
				if err := n.check(ctx, p, part, &mu); err != nil {
					n.log.Debug("values were not checked", "member", p.Member(), "err", err)
					return
				}
			}
		})
	}
	questions.Wait()
}

// check asks one peer, and gives it what it does not know of.
func (n *native) check(ctx context.Context, p *peer, strays []*stray, mu *sync.Mutex) error {
	m := &mapwire.Check{}
	for _, s := range strays {
		m.States = append(m.States, s.state)
	}
	a, err := ask[*mapwire.Checked](ctx, p, func(id uint64) mapwire.Message {
		m.Request = id
		return m
	})
	if err != nil {
		return err
	}
	if len(a.Has) != len(strays) {
		return errAnswer
	}
	var give []string
	mu.Lock()
	for i, s := range strays {
		switch a.Has[i] {
		case mapwire.Holds:
			s.has++
			s.holds++
		case mapwire.HasValue:
			s.has++
		case mapwire.HasProxy:
			s.lacks = append(s.lacks, p)
		case mapwire.HasNot:
			give = append(give, s.state.Key)
		}
	}
	mu.Unlock()
	return n.push(ctx, p, give)
}

// provideChecked answers a Check. That this member is to have a value is found out before
// whether it has it, so what it says holds at the moment of the latter.
func (n *native) provideChecked(ctx context.Context, p *peer, m *mapwire.Check) {
	a := &mapwire.Checked{Request: m.Request}
	r := n.roster()
	for _, s := range m.States {
		_, here := r.split(s.Key)
		has := mapwire.HasNot
		switch e, _ := n.table.Peek(s.Key); {
		case e.Gone || e.State() != s:
		case e.Proxy:
			has = mapwire.HasProxy
		case here:
			has = mapwire.Holds
		default:
			has = mapwire.HasValue
		}
		a.Has = append(a.Has, has)
	}
	n.answer(ctx, p, a)
}
