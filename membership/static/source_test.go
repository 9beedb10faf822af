package static

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
)

// book is a Resolver whose answer can be changed.
type book struct {
	mu    sync.Mutex
	addrs []netip.AddrPort
	err   error
	asked []time.Time
}

func (b *book) Resolve(context.Context) ([]netip.AddrPort, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, time.Now())
	return b.addrs, b.err
}

func (b *book) set(err error, addrs ...netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.addrs, b.err = addrs, err
}

func (b *book) times() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.asked)
}

func TestResolverIsFollowed(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		b := new(book)
		a := w.end(1, Config{Resolver: b})
		two, three := w.end(2, Config{Members: list(9, 9)}), w.end(3, Config{Members: list(9, 9)})
		two.start()
		three.start()
		b.set(nil, addr(1), addr(2))
		a.start()
		until(t, 4*hop, "the member that is found", func() bool { return a.sees(two) })
		b.set(nil, addr(2), addr(3), addr(4))
		until(t, DefaultRefresh+4*hop, "the second member", func() bool { return a.sees(two, three) })

		// Failures change nothing.
		b.set(errors.New("no answer"))
		time.Sleep(time.Minute)
		before := len(w.parcels(addr(4)))
		time.Sleep(time.Minute)
		if got := len(w.parcels(addr(4))) - before; !a.sees(two, three) || got < 6 {
			t.Errorf("while the resolver fails: %d tries of a dead address in a minute, want at least 6; told %v", got, a.told())
		}
		if log := a.log(); !strings.Contains(log, "no answer") || strings.Count(log, "\n") > 20 {
			t.Errorf("log of two minutes = %s, want a line about the resolver each 10 s at most", log)
		}

		// Addresses vanish: the dead one is left alone, the members stay.
		b.set(nil)
		time.Sleep(2 * DefaultRefresh)
		before = len(w.parcels(addr(4)))
		time.Sleep(time.Minute)
		if got := len(w.parcels(addr(4))) - before; got != 0 || !a.sees(two, three) {
			t.Errorf("after the addresses have vanished: %d tries of the dead one, want 0; told %v", got, a.told())
		}
		// Once such a member has failed, it is not dialled any more.
		two.kill()
		until(t, DefaultExpiration+2*hop, "the failure", func() bool { return a.sees(three) })
		time.Sleep(hop)
		before = len(w.parcels(addr(2)))
		time.Sleep(time.Minute)
		if got := len(w.parcels(addr(2))) - before; got != 0 {
			t.Errorf("%d tries of a vanished address where nobody answers, want 0", got)
		}
	})
}

// A resolver that fails at the start is asked again soon, and not for ever as
// often.
func TestResolverThatFailsIsAskedSooner(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		b := &book{err: errors.New("not yet")}
		a := w.end(1, Config{Resolver: b})
		c := w.end(2, Config{Members: list(9, 9)})
		a.start()
		c.start()
		time.Sleep(time.Second)
		b.set(nil, addr(2))
		until(t, time.Second, "the member", func() bool { return a.sees(c) })
		n := b.times()
		time.Sleep(time.Minute)
		if got := b.times() - n; got < 5 || got > 7 {
			t.Errorf("a resolver that works was asked %d times in a minute, want 6", got)
		}
		b.set(errors.New("no more"))
		n = b.times()
		time.Sleep(10 * time.Minute)
		if got := b.times() - n; got < 55 || got > 80 {
			t.Errorf("a resolver that fails was asked %d times in ten minutes, want about 60 and a few", got)
		}
	})
}

func TestResolverThatMisbehaves(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		found := func(context.Context) ([]netip.AddrPort, error) {
			return []netip.AddrPort{
				{}, // none
				netip.AddrPortFrom(netip.IPv4Unspecified(), 4000),
				netip.AddrPortFrom(netip.MustParseAddr("224.0.0.1"), 4000),
				netip.AddrPortFrom(netip.MustParseAddr("fe80::1%eth0"), 4000),
				netip.AddrPortFrom(addr(2).Addr(), 0),
				netip.AddrPortFrom(netip.AddrFrom16(addr(2).Addr().As16()), 4000), // mapped
				addr(2),
			}, nil
		}
		a := w.end(1, Config{Resolver: ResolverFunc(found)})
		c := w.end(2, Config{Resolver: ResolverFunc(func(context.Context) ([]netip.AddrPort, error) { panic("oops") })})
		a.start()
		c.start()
		until(t, time.Second, "the only good address", whole([]*end{a, c}))
		time.Sleep(time.Minute)
		if got := len(a.askers); got != 1 {
			t.Errorf("%d addresses are asked, want the good one", got)
		}
		if log := c.log(); !strings.Contains(log, "oops") {
			t.Errorf("log = %s, want a line about the panic", log)
		}
	})
}

func TestResolverThatFindsTooMany(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		var all []netip.AddrPort
		for i := range 1000 {
			all = append(all, addr(i+2))
		}
		b := new(book)
		b.set(nil, all...)
		a := w.end(1, Config{Resolver: b})
		a.limits.strangers = 50
		a.start()
		time.Sleep(time.Second)
		a.Service.mu.Lock()
		defer a.Service.mu.Unlock()
		if got := len(a.askers); got != 50 {
			t.Errorf("%d addresses are asked, want the 50 that the limit allows", got)
		}
	})
}

// A host name on the list is looked up again and again, more often while nobody
// answers.
func TestHostNamesAreLookedUpAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		two := w.end(2, Config{Members: list(9, 9)})
		three := w.end(3, Config{Members: list(9, 9)})
		a := w.end(1, Config{Members: []Peer{{Addr: "db.example.com:4000"}, {Addr: "fixed.example.com:4000", ID: three.local.ID()}}})
		if !a.sources[0].name || a.sources[0].resolve == nil {
			t.Fatal("a host name is not looked up")
		}
		b, fixed := new(book), new(book)
		a.sources[0].resolve, a.sources[1].resolve = b, fixed
		b.set(errors.New("no such host"))
		fixed.set(nil, addr(3), addr(2)) // at addr(2) is somebody else
		two.start()
		three.start()
		a.start()
		time.Sleep(30 * time.Second)
		if n := b.times(); n < 8 || n > 12 {
			t.Errorf("a name that does not exist was looked up %d times in 30 s, want about 9", n)
		}
		if !a.sees(three) {
			t.Errorf("told %v, want that the member with the fixed id joined", a.told())
		}
		b.set(nil, addr(4), addr(5)) // nobody there
		time.Sleep(DefaultMaxPause + time.Second)
		b.set(nil, addr(6))
		six := w.end(6, Config{Members: list(9, 9)})
		six.start()
		until(t, DefaultMaxPause+4*hop, "the member at the new address", func() bool { return a.sees(three, six) })
		n := b.times()
		time.Sleep(2 * time.Minute)
		if got := b.times() - n; got < 11 || got > 13 {
			t.Errorf("a name where somebody answers was looked up %d times in two minutes, want 12: each Refresh", got)
		}
		if got := len(a.askers); got != 3 {
			t.Errorf("%d addresses are asked, want 3", got)
		}
	})
}

func TestListedTwice(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWire(t)
		b := new(book)
		b.set(nil, addr(2), addr(2))
		id := membership.NewID()
		a := w.end(1, Config{Members: []Peer{{Addr: addr(2).String(), ID: id}, {Addr: addr(2).String(), ID: id}, {Addr: "[::ffff:10.0.0.2]:4000"}}, Resolver: b})
		a.start()
		time.Sleep(time.Second)
		a.Service.mu.Lock()
		defer a.Service.mu.Unlock()
		if got := a.askers[addr(2)]; len(a.askers) != 1 || got.id != id {
			t.Errorf("%d addresses are asked, want one, with its id", len(a.askers))
		}
	})
}
