package mem_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// The whole transport under faults that come at random: loss, delay, cuts,
// crashes and restarts, with members that send to all they see, in all modes.
// What must hold: nothing comes twice, the messages of each caller come in order
// and with their bytes, what is acknowledged was delivered, and what was not sent
// was not. A seed that fails is printed; put it into the list.
func TestSimulation(t *testing.T) {
	seeds := []uint64{1, 2, 3}
	for range 3 {
		seeds = append(seeds, rand.Uint64())
	}
	outcomes := make(map[message.Outcome]int)
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				s := newSimulation(t, seed)
				s.run()
				for o, n := range s.outcomes {
					outcomes[o] += n
				}
			})
		})
	}
	for o := message.Acknowledged; o <= message.Unknown; o++ {
		if outcomes[o] == 0 {
			t.Errorf("no message had the outcome %v: %v", o, outcomes)
		}
	}
}

type simulation struct {
	t   *testing.T
	rnd *rand.Rand
	n   *mem.Network

	mu        sync.Mutex
	running   map[string]*simNode
	delivered map[delivery]bool
	last      map[stream]uint32
	acked     map[delivery]bool // whether the listener has answered
	crashed   map[string]bool
	outcomes  map[message.Outcome]int
	wrong     []string
}

// simNode is one run of a member, and its callers.
type simNode struct {
	c       *channel.Channel
	callers sync.WaitGroup
	stop    context.CancelFunc
}

// delivery is one message at one address. A message to a member that was
// replaced reaches the new one, as with TCP.
type delivery struct {
	to netip.AddrPort
	id message.ID
}

// stream is what one caller sends to one member. Order is promised within it;
// the member is the one that the sender meant.
type stream struct {
	to     membership.ID
	from   membership.Key
	caller uint32
}

var simHosts = []string{"a", "b", "c", "d"}

func newSimulation(t *testing.T, seed uint64) *simulation {
	link := mem.Link{Delay: time.Millisecond, Jitter: 20 * time.Millisecond, Loss: 0.02}
	return &simulation{
		t: t, rnd: rand.New(rand.NewPCG(seed, 0)),
		n:         mem.NewNetwork(mem.Config{Seed: seed, Link: link, Window: 20_000}),
		running:   make(map[string]*simNode),
		delivered: make(map[delivery]bool),
		last:      make(map[stream]uint32),
		acked:     make(map[delivery]bool),
		crashed:   make(map[string]bool),
		outcomes:  make(map[message.Outcome]int),
	}
}

func (s *simulation) run() {
	for _, host := range simHosts {
		s.start(host)
	}
	for range 40 {
		time.Sleep(time.Duration(s.rnd.IntN(1000)) * time.Millisecond)
		s.fault()
	}
	s.n.Heal()
	s.n.SetLinks(mem.Link{})
	for _, host := range simHosts {
		if s.running[host] == nil {
			s.start(host)
		}
	}
	// When the faults have ended, all see all within the drop time.
	ctx, cancel := context.WithTimeout(s.t.Context(), 4*time.Second)
	defer cancel()
	for host, nd := range s.running {
		exact := func(v *membership.View) bool { return s.sees(host, v) }
		if err := nd.c.WaitView(ctx, exact); err != nil {
			s.t.Errorf("%s does not see exactly the others: %v", host, nd.c.View().Members)
		}
	}
	for host := range s.running {
		s.end(host)
	}
	s.judge()
}

// sees reports whether v has exactly the others that run.
func (s *simulation) sees(host string, v *membership.View) bool {
	for other, nd := range s.running {
		if other != host && v.Find(nd.c.Local().Key()) == nil {
			return false
		}
	}
	return v.Len() == len(s.running)-1
}

// fault changes something.
func (s *simulation) fault() {
	pick := func() string { return simHosts[s.rnd.IntN(len(simHosts))] }
	host := pick()
	switch s.rnd.IntN(8) {
	case 0:
		s.n.Cut(host, pick())
	case 1:
		s.n.Isolate(host)
	case 2:
		s.n.Partition([]string{"a", host}, []string{pick()})
	case 3:
		s.n.SetLinks(mem.Link{Loss: s.rnd.Float64() / 3, Delay: time.Duration(s.rnd.IntN(100)) * time.Millisecond})
	case 4:
		if nd := s.running[host]; nd != nil {
			s.n.Crash(host)
			s.crashed[nd.c.Local().Host().String()] = true
			s.end(host)
		} else {
			s.start(host)
		}
	case 5:
		if nd := s.running[host]; nd != nil {
			s.end(host)
		} else {
			s.start(host)
		}
	default:
		s.n.Heal()
	}
}

func (s *simulation) start(host string) {
	c, err := channel.New(s.n.Node(host).Config())
	if err != nil {
		s.t.Fatal(err)
	}
	c.Listen(channel.ListenerFunc(func(ctx context.Context, m *message.Message) error { return s.receive(c, m) }))
	if err := c.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	nd := &simNode{c: c, stop: stop}
	s.running[host] = nd
	for caller := range uint32(3) {
		seed := s.rnd.Uint64()
		nd.callers.Go(func() { s.send(ctx, c, caller, rand.New(rand.NewPCG(seed, 1))) }) // ends with ctx
	}
}

// end stops what runs on a host, or the remains of what has crashed.
func (s *simulation) end(host string) {
	nd := s.running[host]
	delete(s.running, host)
	nd.stop()
	if err := nd.c.Stop(context.Background()); err != nil {
		s.t.Errorf("Stop of %s: %v", host, err)
	}
	nd.callers.Wait()
}

// send is one caller, which numbers its messages and goes on when it has the
// outcome of one.
func (s *simulation) send(ctx context.Context, c *channel.Channel, caller uint32, rnd *rand.Rand) {
	modes := []message.Options{0, message.UseAck, message.Sync}
	success := []message.Outcome{message.Written, message.Acknowledged, message.Acknowledged}
	for count := uint32(1); ctx.Err() == nil; count++ {
		to := onePerAddress(c.View())
		if len(to) > 0 {
			mode := rnd.IntN(len(modes))
			id, err := c.Send(context.Background(), to, simPayload(to, caller, count, rnd), modes[mode])
			s.note(to, id, success[mode], modes[mode].SyncAcked(), err)
		}
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
	}
}

const simHeader = 12 + 16*4

// simPayload is a checksum, the caller, its count, whom the message is for, by
// the number of the host, and random bytes.
func simPayload(to []*membership.Member, caller, count uint32, rnd *rand.Rand) []byte {
	p := make([]byte, simHeader+rnd.IntN(3000))
	binary.BigEndian.PutUint32(p[4:], caller)
	binary.BigEndian.PutUint32(p[8:], count)
	for _, m := range to {
		id := m.ID()
		copy(p[12+16*hostNumber(m):], id[:])
	}
	for i := range p[simHeader:] {
		p[simHeader+i] = byte(rnd.Uint32())
	}
	binary.BigEndian.PutUint32(p, crc32.ChecksumIEEE(p[4:]))
	return p
}

func hostNumber(m *membership.Member) int { return int(m.Host().As4()[3]) - 1 }

// onePerAddress returns the youngest member at each address.
func onePerAddress(v *membership.View) []*membership.Member {
	var to []*membership.Member
	for _, m := range v.Members {
		to = slices.DeleteFunc(to, func(x *membership.Member) bool { return x.AddrPort() == m.AddrPort() })
		to = append(to, m)
	}
	return to
}

func (s *simulation) receive(c *channel.Channel, m *message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := m.Payload()
	d := delivery{c.Local().AddrPort(), m.ID}
	st := stream{membership.ID(p[12+16*hostNumber(c.Local()):][:16]), m.Source.Key(), binary.BigEndian.Uint32(p[4:])}
	count := binary.BigEndian.Uint32(p[8:])
	switch {
	case binary.BigEndian.Uint32(p) != crc32.ChecksumIEEE(p[4:]):
		s.wrong = append(s.wrong, "other bytes")
	case s.delivered[d]:
		s.wrong = append(s.wrong, "a message came twice")
	case count <= s.last[st]:
		s.wrong = append(s.wrong, fmt.Sprintf("message %d after %d", count, s.last[st]))
	}
	s.delivered[d] = true
	s.last[st] = count
	if count%10 == 0 {
		return errors.New("the tenth is always refused")
	}
	return nil
}

// note keeps the outcomes of a message.
func (s *simulation) note(to []*membership.Member, id message.ID, success message.Outcome, sync bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var se *message.SendError
	if err != nil && !errors.As(err, &se) {
		return // nothing was tried
	}
	for _, m := range to {
		r := message.Result{Outcome: success}
		if se != nil {
			r, _ = se.Result(m.Key())
		}
		s.outcomes[r.Outcome]++
		if r.Outcome == message.Refused || r.Outcome == message.Acknowledged {
			s.acked[delivery{m.AddrPort(), id}] = sync
		}
		if r.Outcome == message.NotSent && s.delivered[delivery{m.AddrPort(), id}] {
			s.wrong = append(s.wrong, fmt.Sprintf("a message that was not sent (%v) arrived", r.Err))
		}
	}
}

// judge looks at what is known when all has ended.
func (s *simulation) judge() {
	for d, sync := range s.acked {
		// Without the listener's answer a crash may come before the delivery.
		if !s.delivered[d] && (sync || !s.crashed[d.to.Addr().String()]) {
			s.wrong = append(s.wrong, "a message was acknowledged and not delivered")
		}
	}
	if len(s.wrong) > 0 {
		s.t.Errorf("seed %d: %d times something was wrong, first: %s", s.n.Seed(), len(s.wrong), s.wrong[0])
	}
	s.t.Logf("%d messages delivered, outcomes %v, %+v", len(s.delivered), s.outcomes, s.n.Stats())
}
