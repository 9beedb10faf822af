package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/transport/mem"
)

// settled is how long after the end of all faults every member must see exactly the
// others: the drop time, the read test of the detector, and a heartbeat or two.
const settled = 10 * time.Second

// world is one simulation. It is well if wrong stays empty.
type world struct {
	seed  uint64
	begun time.Time
	rnd   *rand.Rand // of the faults
	net   *mem.Network
	stack stack
	names []string
	quiet bool // members send nothing by themselves

	running map[string]*node // by host; used by run alone

	mu sync.Mutex
	// The rest is guarded by mu.
	hosts     map[membership.ID]string // of all runs
	stalled   map[string]time.Time     // hosts whose listeners wait until then
	paused    map[string]time.Time     // until when hosts were paused at last
	crashed   map[string]bool          // hosts that have crashed, or whose stop may have taken messages
	delivered map[delivery]bool
	last      map[stream]uint64
	acked     map[delivery]bool            // by an ack; true: by a listener
	refused   map[delivery]bool            // not sent, by their outcome
	posted    map[posted]int               // outcomes of what was not waited for
	dropped   map[string]uint64            // messages that Order and Encrypt say they did not deliver, by host
	views     map[membership.ViewID]string // the members of each, as one string
	handled   map[handled]bool
	replies   int // to remote calls
	outcomes  int
	wrong     []string
	trace     trace
}

// node is one run of a member.
type node struct {
	w       *world
	name    string
	g       *group.Group
	rpc     *group.RPC
	id      membership.ID
	layers  layers
	ctx     context.Context // of its callers
	stop    context.CancelFunc
	callers sync.WaitGroup

	mu   sync.Mutex
	sees map[membership.Key]membership.Kind // the last event of each

	term      uint64 // of the last agreed view; guarded by w.mu
	overtaken uint64 // messages that came after later ones; guarded by w.mu
}

func newWorld(seed uint64) *world {
	w := &world{
		seed: seed, begun: time.Now(), rnd: rand.New(rand.NewPCG(seed, 0)), stack: stacks[seed%uint64(len(stacks))],
		names:   []string{"a", "b", "c", "d", "e", "f"}[:3+seed/5%4],
		running: make(map[string]*node),
		hosts:   make(map[membership.ID]string), stalled: make(map[string]time.Time), paused: make(map[string]time.Time), crashed: make(map[string]bool),
		delivered: make(map[delivery]bool), last: make(map[stream]uint64),
		acked: make(map[delivery]bool), refused: make(map[delivery]bool), posted: make(map[posted]int),
		handled: make(map[handled]bool), dropped: make(map[string]uint64), views: make(map[membership.ViewID]string),
	}
	w.net = mem.NewNetwork(mem.Config{Seed: seed, Window: 30_000, Link: w.link()})
	return w
}

func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrongly(format, args...)
}

// wrongly is fail for who holds w.mu.
func (w *world) wrongly(format string, args ...any) {
	w.note(format, args...)
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
}

// run is the simulation: faults, then none, then the end.
func (w *world) run() {
	for _, name := range w.names {
		w.start(name)
	}
	for range 25 {
		time.Sleep(time.Duration(w.rnd.IntN(1500)) * time.Millisecond)
		w.fault()
	}
	w.net.Heal()
	for _, name := range w.names {
		w.net.Resume(name)
	}
	w.net.SetLinks(mem.Link{Delay: time.Millisecond})
	w.mu.Lock()
	clear(w.stalled)
	w.mu.Unlock()
	for _, name := range w.names {
		enough := w.seed%3 == 0 && len(w.running) > 1 // then those that are down stay down
		if w.running[name] == nil && !enough {
			w.start(name)
		}
	}
	w.converge()
	for _, name := range w.names {
		if w.running[name] != nil {
			w.end(name)
		}
	}
	w.judge()
}

// start runs a member on a host.
func (w *world) start(name string) {
	parts := w.net.Node(name)
	n := &node{w: w, name: name, layers: w.stack.make(), sees: make(map[membership.Key]membership.Kind)}
	g, err := group.New(group.WithName("simulation"), group.WithDomain("d"), group.WithTransport(parts.Sender, parts.Receiver),
		group.WithMembership(parts.Membership), group.WithInterceptors(n.layers.stack...))
	if err != nil {
		panic(err)
	}
	n.g = g
	n.serve()
	g.Listen(group.ListenerFunc(n.receive))
	g.Watch(channel.MembershipListenerFunc(n.event))
	if err := g.Start(context.Background()); err != nil {
		w.fail("start of %s: %v", name, err)
		return
	}
	n.id = g.Local().ID()
	w.mu.Lock()
	w.hosts[n.id] = name
	w.note("start %s %v", name, n.id)
	w.mu.Unlock()
	w.running[name] = n
	n.ctx, n.stop = context.WithCancel(context.Background())
	if n.layers.agrees {
		n.callers.Go(n.watchViews)
	}
	if w.quiet {
		return
	}
	for caller := range uint32(2) {
		rnd := rand.New(rand.NewPCG(w.seed, w.rnd.Uint64()))
		n.callers.Go(func() { n.call(caller, rnd) })
	}
	rnd := rand.New(rand.NewPCG(w.seed, w.rnd.Uint64()))
	n.callers.Go(func() { n.ask(rnd) })
}

// end stops what runs on a host, or the remains of what has crashed, and checks that all
// of it has ended.
func (w *world) end(name string) {
	n := w.running[name]
	delete(w.running, name)
	w.mu.Lock()
	w.note("end %s", name)
	w.mu.Unlock()
	w.net.Resume(name)
	n.stop()
	begun := time.Now()
	err := n.g.Stop(context.Background())
	if err != nil || w.stack.waits || w.stack.split { // messages that it had taken may not be delivered
		w.mu.Lock()
		w.crashed[name] = true
		w.mu.Unlock()
	}
	if took := time.Since(begun); took > 10*time.Second {
		w.fail("stop of %s took %v", name, took)
	}
	n.callers.Wait()
	n.judge()
}

// fault changes something.
func (w *world) fault() {
	pick := func() string { return w.names[w.rnd.IntN(len(w.names))] }
	name := pick()
	switch w.rnd.IntN(12) {
	case 0:
		w.net.Cut(name, pick())
	case 1:
		w.net.Isolate(name)
	case 2:
		w.rnd.Shuffle(len(w.names), func(i, j int) { w.names[i], w.names[j] = w.names[j], w.names[i] })
		at := 1 + w.rnd.IntN(len(w.names)-1)
		w.net.Partition(w.names[:at], w.names[at:])
	case 3, 4:
		w.net.SetLinks(w.link())
	case 5:
		w.crash(name)
	case 6:
		if w.running[name] != nil {
			w.end(name)
		}
	case 7:
		w.mu.Lock()
		w.stalled[name] = time.Now().Add(time.Duration(w.rnd.IntN(6000)) * time.Millisecond)
		w.mu.Unlock()
	case 8:
		w.pause(name, time.Duration(w.rnd.IntN(8000))*time.Millisecond)
	default:
		w.net.Heal()
		if w.running[name] == nil {
			w.start(name)
		}
	}
}

// pause stops a process for a while, as kill -STOP does.
func (w *world) pause(name string, d time.Duration) {
	w.mu.Lock()
	w.paused[name] = time.Now().Add(d)
	w.mu.Unlock()
	w.net.Pause(name)
	time.AfterFunc(d, func() { w.net.Resume(name) })
}

// crash ends a member without a word.
func (w *world) crash(name string) {
	if w.running[name] == nil {
		return
	}
	w.mu.Lock()
	w.crashed[name] = true
	w.mu.Unlock()
	w.net.Crash(name)
	w.end(name)
}
