package interceptor

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// receive swallows the notices of others, and takes those of members of the list.
func (s *StaticMembers) receive(ctx context.Context, m *message.Message) error {
	starts := m.Len() == len(startNotice) && string(m.Payload()) == startNotice
	stops := m.Len() == len(stopNotice) && string(m.Payload()) == stopNotice
	if !starts && !stops || !m.Options.Has(s.flag) {
		return s.above.Receive(ctx, m)
	}
	k := m.Source.Key()
	switch listed := s.table.Load().members[k] != nil; {
	case !listed:
		s.unknown.Add(1)
		return nil
	case s.words.put(k, starts):
		s.host.Serial(func() { s.heed(k) })
	}
	s.notices.Add(1)
	return nil
}

// heed does what a member of the list has said. It is called in line with the events.
func (s *StaticMembers) heed(k membership.Key) {
	for _, starts := range s.words.take(k) {
		if starts {
			s.come(k)
		} else {
			s.leave(k)
		}
	}
}

// staticWords has what members of the list have said and nobody has heeded yet: of each
// the last notice and, if that was another one, the one before. So a restart is not lost,
// and a flood takes no memory.
type staticWords struct {
	mu  sync.Mutex
	all map[membership.Key][]bool // true: it has started
}

// put reports whether nothing of the member waits.
func (w *staticWords) put(k membership.Key, starts bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.all[k]
	if n := len(said); n > 0 && said[n-1] == starts {
		return false
	}
	if w.all == nil {
		w.all = make(map[membership.Key][]bool)
	}
	w.all[k] = append(said[max(len(said)-1, 0):], starts)
	return len(said) == 0
}

func (w *staticWords) take(k membership.Key) []bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	said := w.all[k]
	delete(w.all, k)
	return said
}

// event passes on what the membership below says, in agreement with what was said
// of members of the list.
func (s *StaticMembers) event(ev membership.Event) {
	k := ev.Member.Key()
	table := s.table.Load()
	if table.members[k] == nil {
		s.above.Event(ev)
		return
	}
	switch announced := table.announced[k]; {
	case ev.Kind == membership.Left || ev.Kind == membership.Failed:
		s.change(k, false, ev)
	case announced && ev.Kind == membership.Joined:
		if s.differs(ev.Member) {
			ev.Kind = membership.Updated
			s.above.Event(ev)
		}
	case announced:
		s.above.Event(ev)
	case ev.Kind == membership.Joined:
		s.change(k, true, ev)
	}
}

// differs reports whether m tells more of itself than the list does.
func (s *StaticMembers) differs(m *membership.Member) bool {
	return differ(s.table.Load().members[m.Key()], m)
}

// come announces a member of the list. It is called in line with the events.
func (s *StaticMembers) come(k membership.Key) {
	m := s.table.Load().members[k]
	s.change(k, true, membership.Event{Kind: membership.Joined, Member: m, At: time.Now()})
}

// leave takes back a member of the list that has said goodbye. It is called in line
// with the events.
func (s *StaticMembers) leave(k membership.Key) {
	m := s.table.Load().members[k]
	if left, err := m.With(func(a *membership.Attributes) { a.Command = membership.LeaveCommand }); err == nil {
		m = left
	}
	s.change(k, false, membership.Event{Kind: membership.Left, Member: m, At: time.Now()})
}

// change notes that a member of the list is announced, or not any more, and then
// passes ev up; if it was so before it does neither.
func (s *StaticMembers) change(k membership.Key, announced bool, ev membership.Event) {
	old := s.table.Load()
	if old.announced[k] == announced {
		return
	}
	table := &staticTable{old.members, maps.Clone(old.announced)}
	if table.announced == nil {
		table.announced = make(map[membership.Key]bool)
	}
	table.announced[k] = announced
	s.table.Store(table)
	s.above.Event(ev)
}

// check tries those that are not announced.
func (s *StaticMembers) check(context.Context) {
	table := s.table.Load()
	for k, m := range table.members {
		if table.announced[k] {
			continue
		}
		if _, running := s.tries.LoadOrStore(k, true); running {
			continue
		}
		s.host.Go("static member", func(ctx context.Context) {
			defer s.tries.Delete(k)
			err := s.host.Probe(ctx, m, channel.Probe{Kind: channel.ProbeConnect, Connect: staticConnect})
			if err == nil && ctx.Err() == nil {
				s.host.Serial(func() { s.come(k) })
			}
		})
	}
}

// viewCache keeps a view for as long as what it was made of.
type viewCache struct {
	last atomic.Pointer[staticView]
	mu   sync.Mutex // held while a view is made, so that Seq rises with what it shows
	seq  uint64
}

type staticView struct {
	below *membership.View
	table *staticTable
	view  *membership.View
}

// visible is the layer's ViewFunc: the members below and those of the list that
// are announced, in absolute order. A new view is made only when either has changed.
func (s *StaticMembers) visible() *membership.View {
	if v := s.view.last.Load(); v != nil && v.below == s.below() && v.table == s.table.Load() {
		return v.view
	}
	s.view.mu.Lock()
	defer s.view.mu.Unlock()
	below, table := s.below(), s.table.Load()
	s.view.seq++
	v := &membership.View{Seq: s.view.seq}
	for _, m := range below.Members {
		if k := m.Key(); table.members[k] == nil || table.announced[k] {
			v.Members = append(v.Members, m)
		}
	}
	for k, m := range table.members {
		if table.announced[k] && below.Find(k) == nil {
			v.Members = append(v.Members, m)
		}
	}
	slices.SortFunc(v.Members, membership.CompareAbsolute)
	s.view.last.Store(&staticView{below, table, v})
	return v
}

// present are the members of the list that are announced.
func (s *StaticMembers) present() []*membership.Member {
	table := s.table.Load()
	if table == nil {
		return nil
	}
	var all []*membership.Member
	for k, m := range table.members {
		if table.announced[k] {
			all = append(all, m)
		}
	}
	return all
}

// StaticMembersStats says what a [StaticMembers] has seen.
type StaticMembersStats struct {
	Listed    int    // members of the list, without the local one
	Announced int    // those that the layers above were told of
	Notices   uint64 // notices of members of the list
	Unknown   uint64 // notices of others
}

// Stats returns the counts so far. It returns the zero StaticMembersStats before the
// layer is bound.
func (s *StaticMembers) Stats() StaticMembersStats {
	table := s.table.Load()
	if table == nil {
		return StaticMembersStats{}
	}
	return StaticMembersStats{
		Listed: len(table.members), Announced: len(s.present()),
		Notices: s.notices.Load(), Unknown: s.unknown.Load(),
	}
}
