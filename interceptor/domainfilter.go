package interceptor

import (
	"cmp"
	"context"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// DomainFilter is a layer for which only the members of one domain exist
// (docs/wire.md, Interceptors). A message whose sender has another domain, by
// what the message itself says of it, is dropped and counted; its sender is
// told that all is well, as in Tribes, because nothing it could do would help.
// A member of another domain is neither announced to the layers above nor in
// their view. What is sent is not looked at.
//
// The domain of a member may change while it runs. One that changes to the
// domain of the filter has Joined; one that changes to another has Left: it is
// alive and has said so itself. (Tribes does not notice such changes.)
//
// The filter does not set the domain that the local member announces; that is
// an attribute of the local member (channel.Config.Local). A peer can claim any
// domain it likes: the filter keeps groups on one network apart, it does not
// keep anybody out.
//
// The fields are settings; they are read when the layer is bound. Tribes'
// interceptor ignores its optionFlag, so there is none here. A DomainFilter
// serves one channel. Its methods are safe for concurrent use.
type DomainFilter struct {
	// Domain is the domain, as bytes. The zero value lets the members without a
	// domain exist, as in Tribes (domain).
	Domain string
	// LogInterval is the number of dropped messages after which one is logged,
	// beginning with the first and at most one in 10 s. Zero means 100, as in
	// Tribes (logInterval); negative means none.
	LogInterval int

	domain   string
	interval uint64 // 0: no lines
	bound    bool
	below    channel.ViewFunc
	above    channel.Up
	drops    drops

	// The members that the layers above were told of. The map is replaced, never
	// changed; only the event flow does so, which is serial.
	table atomic.Pointer[domainTable]

	mu   sync.Mutex // held while a view is made, so that Seq rises with what it shows
	seq  uint64     // of the last view
	view atomic.Pointer[domainView]

	messages, members atomic.Uint64
}

type domainTable map[membership.Key]struct{}

// domainView is the last view that was made, and what of.
type domainView struct {
	below *membership.View
	table *domainTable
	view  *membership.View
}

var _ channel.Interceptor = (*DomainFilter)(nil)

const (
	defaultLogInterval = 100
	reasonDomain       = "another domain"
)

// BindDown implements channel.Interceptor.
func (f *DomainFilter) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if f.bound {
		return below, errBound
	}
	f.bound = true
	f.domain = f.Domain
	f.interval = uint64(max(cmp.Or(f.LogInterval, defaultLogInterval), 0))
	f.drops.layer, f.drops.host = "DomainFilter", h
	f.below = below.View
	f.table.Store(new(domainTable))
	below.View = f.visible
	return below, nil
}

// BindUp implements channel.Interceptor.
func (f *DomainFilter) BindUp(above channel.Up) channel.Up {
	f.above = above
	up := above
	up.Receive = f.receive
	up.Event = f.event
	return up
}

func (f *DomainFilter) receive(ctx context.Context, m *message.Message) error {
	if m.Source.Domain() == f.domain {
		return f.above.Receive(ctx, m)
	}
	n := f.messages.Add(1)
	f.drops.host.Trace().MessageDropped(f.drops.layer, m.Source, m.ID, reasonDomain)
	if f.interval > 0 && (n-1)%f.interval == 0 {
		f.drops.warn("messages of another domain are dropped", m.Source, "messages", n, nil)
	}
	return nil
}

// event passes on what happens to members of the domain, and makes events of
// changes of domain. It changes the table before it tells the layers above.
func (f *DomainFilter) event(ev membership.Event) {
	table := *f.table.Load()
	k := ev.Member.Key()
	_, known := table[k]
	here := ev.Member.Domain() == f.domain
	switch {
	case ev.Kind == membership.Left || ev.Kind == membership.Failed:
		if !known {
			return
		}
		f.change(table, k, false)
	case here && !known:
		f.change(table, k, true)
		ev.Kind = membership.Joined
	case here:
	case known:
		f.change(table, k, false)
		ev.Kind = membership.Left
	default:
		if ev.Kind == membership.Joined {
			f.members.Add(1)
		}
		return
	}
	f.above.Event(ev)
}

// change replaces the table by one with or without k.
func (f *DomainFilter) change(old domainTable, k membership.Key, present bool) {
	table := make(domainTable, len(old)+1)
	maps.Copy(table, old)
	if present {
		table[k] = struct{}{}
	} else {
		delete(table, k)
	}
	f.table.Store(&table)
}

// visible is the layer's ViewFunc: what the layer below shows of the members
// that were announced. A new view is made only when either has changed.
func (f *DomainFilter) visible() *membership.View {
	if v := f.view.Load(); v.of(f.below(), f.table.Load()) {
		return v.view
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	below, table := f.below(), f.table.Load()
	if v := f.view.Load(); v.of(below, table) {
		return v.view
	}
	f.seq++
	v := &membership.View{Seq: f.seq, Members: make([]*membership.Member, 0, len(*table))}
	for _, m := range below.Members {
		if _, known := (*table)[m.Key()]; known && m.Domain() == f.domain {
			v.Members = append(v.Members, m)
		}
	}
	f.view.Store(&domainView{below, table, v})
	return v
}

// of reports whether v was made of these two.
func (v *domainView) of(below *membership.View, table *domainTable) bool {
	return v != nil && v.below == below && v.table == table
}

// DomainFilterStats says what a [DomainFilter] has kept away.
type DomainFilterStats struct {
	Messages uint64 // messages of other domains that were dropped
	Members  uint64 // members of other domains that have joined
	Visible  int    // members of the domain that are announced now
}

// Stats returns the counts so far. It returns the zero DomainFilterStats before
// the layer is bound.
func (f *DomainFilter) Stats() DomainFilterStats {
	table := f.table.Load()
	if table == nil {
		return DomainFilterStats{}
	}
	return DomainFilterStats{Messages: f.messages.Load(), Members: f.members.Load(), Visible: len(*table)}
}
