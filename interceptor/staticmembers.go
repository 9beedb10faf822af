package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// StaticMembers is a layer that adds members from a list to those that the
// membership below finds (docs/wire.md, Interceptors; StaticMembershipInterceptor in
// Tribes). It needs no membership at all. Its place is below a TCPFailureDetector,
// which announces who answers and goes on trying the others; without one everybody
// on the list is a member until it says goodbye.
//
// When the channel has started, each member of the list has Joined, and is sent a
// start notice, so that it takes us in if it has us on its own list. When the channel
// stops, all members are sent a stop notice. A member of the list that sends a stop
// notice has Left, and joins again when it sends a start notice, when the membership
// below finds it, or when its port answers, which is tried each CheckPeriod. (In
// Tribes the detector above tries that.) What the membership below says of a member
// of the list is passed on. Notices of others are swallowed.
//
// Identity includes the unique id: each member on the list has its address, its port
// and its id at all others, and starts with that id (channel.Config.Local,
// group.WithID). The list may have the local member, which is left out, so that all
// nodes can have one list.
//
// This is not membership/static, which speaks the protocol of Tribes'
// StaticMembershipService; members of both kinds do not find each other.
//
// The fields are settings; they are read when the layer is bound. A StaticMembers
// serves one channel. Its methods are safe for concurrent use.
type StaticMembers struct {
	// OptionFlag is what the notices have as options, and only messages that have these
	// bits are taken for notices of others (optionFlag in Tribes).
	OptionFlag message.Options
	// Members is the list, each once.
	Members []*membership.Member
	// CheckPeriod is the time between two looks at those that have left or failed. Zero
	// means 5 s, as in Tribes (heartbeat), negative never; the least is 10 ms.
	CheckPeriod time.Duration

	flag  message.Options
	host  channel.Host
	next  channel.SendFunc
	below channel.ViewFunc
	above channel.Up

	// The list, and who of it the layers above were told of. The maps are replaced,
	// never changed; only the event flow does so, which is serial.
	table atomic.Pointer[staticTable]
	view  viewCache
	tries sync.Map // membership.Key of those that are tried just now
	words staticWords

	notices, unknown atomic.Uint64
}

// staticTable is the list: who is on it, and whether it is announced.
type staticTable struct {
	members   map[membership.Key]*membership.Member
	announced map[membership.Key]bool
}

var (
	_ channel.Interceptor = (*StaticMembers)(nil)
	_ channel.Checked     = (*StaticMembers)(nil)
)

const (
	defaultStaticCheck = 5 * time.Second
	staticConnect      = time.Second

	// The notices (docs/wire.md, Interceptors).
	startNotice = "Local StaticMember Notification Data"
	stopNotice  = "Local StaticMember Shutdown Data"
)

func (s *StaticMembers) period() (time.Duration, error) {
	period := cmp.Or(s.CheckPeriod, defaultStaticCheck)
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: static members: "+format, args...))
	}
	if period > 0 && period < leastCheckPeriod {
		bad("CheckPeriod %v: want at least %v, or negative for never", period, leastCheckPeriod)
	}
	if s.OptionFlag&(message.Multicast|message.NumberedAcks) != 0 {
		bad("OptionFlag %s: want neither %s nor %s", s.OptionFlag, message.Multicast, message.NumberedAcks)
	}
	seen := make(map[membership.Key]bool)
	for i, m := range s.Members {
		switch {
		case m == nil:
			bad("Members[%d]: nil, want a member", i)
		case !m.Dialable():
			bad("Members[%d], %s: want an address that can be dialled", i, m)
		case seen[m.Key()]:
			bad("Members[%d], %s: it is on the list twice, want each once", i, m)
		default:
			seen[m.Key()] = true
		}
	}
	return period, errors.Join(errs...)
}

// Traits implements channel.Checked.
func (s *StaticMembers) Traits() channel.Traits { return channel.Traits{Selects: s.OptionFlag} }

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (s *StaticMembers) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if s.host != nil {
		return below, errBound
	}
	period, err := s.period()
	if err != nil {
		return below, err
	}
	s.host, s.flag, s.next, s.below = h, s.OptionFlag, below.Send, below.View
	table := &staticTable{make(map[membership.Key]*membership.Member), nil}
	for _, m := range s.Members {
		table.members[m.Key()] = m
	}
	s.table.Store(table)
	h.OnStart(s.leaveOut)
	h.Go("static members", s.begin)
	if period > 0 {
		h.Every(period, s.check)
	}
	h.OnDrain(func(ctx context.Context) { s.notify(ctx, stopNotice, s.visible().Members) })
	below.View = s.visible
	return below, nil
}

// BindUp implements channel.Interceptor.
func (s *StaticMembers) BindUp(above channel.Up) channel.Up {
	s.above = above
	up := above
	up.Receive = s.receive
	up.Event = s.event
	return up
}

// leaveOut takes the local member off the list.
func (s *StaticMembers) leaveOut(context.Context) error {
	local := s.host.Local()
	table := &staticTable{make(map[membership.Key]*membership.Member), nil}
	for k, m := range s.table.Load().members {
		if k != local.Key() && m.AddrPort() != local.AddrPort() {
			table.members[k] = m
		}
	}
	s.table.Store(table)
	return nil
}

// begin announces the members of the list and tells them that we are there.
func (s *StaticMembers) begin(ctx context.Context) {
	var all []*membership.Member
	for k, m := range s.table.Load().members {
		all = append(all, m)
		s.host.Serial(func() { s.come(k) })
	}
	slices.SortFunc(all, membership.CompareAbsolute)
	s.notify(ctx, startNotice, all)
}

// notify sends a notice. Nobody waits for the outcome: who cannot be reached is told
// by the sender.
func (s *StaticMembers) notify(ctx context.Context, notice string, to []*membership.Member) {
	if len(to) == 0 {
		return
	}
	m := s.host.NewMessage(len(notice))
	defer m.Release()
	copy(m.Payload(), notice)
	m.Options = s.flag
	if err := s.next(ctx, to, m, message.NewReceipt(len(to), func(*message.Receipt) {})); err != nil {
		s.host.Logger().Debug("a notice could not be sent", "notice", notice, "err", err)
	}
}
