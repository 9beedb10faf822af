package mem

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// Link is how one direction between two hosts behaves. The zero Link is a
// perfect wire: nothing is lost and everything takes no time. The package
// documentation says what each fault means for messages on connections and for
// datagrams.
type Link struct {
	// Delay is how long each transmission takes.
	Delay time.Duration
	// Jitter is how much longer it may take, evenly spread.
	Jitter time.Duration
	// Loss is the chance, 0 to 1, that a transmission is lost.
	Loss float64
	// Duplicate is the chance, 0 to 1, that a message or datagram arrives twice.
	Duplicate float64
	// Reorder is the chance, 0 to 1, that a message or datagram is late and may be
	// overtaken.
	Reorder float64
	// Spread is how late at most what is reordered, or a copy, arrives; zero
	// means 20 ms.
	Spread time.Duration
	// Bandwidth is in bytes per second; zero is without limit.
	Bandwidth int
}

const defaultSpread = 20 * time.Millisecond

// validate returns all problems of l.
func (l Link) validate() error {
	var errs []error
	chance := func(name string, p float64) {
		if !(p >= 0 && p <= 1) {
			errs = append(errs, fmt.Errorf("%s %v: want a chance from 0 to 1", name, p))
		}
	}
	length := func(name string, d time.Duration) {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s %v: want no negative duration", name, d))
		}
	}
	length("Delay", l.Delay)
	length("Jitter", l.Jitter)
	chance("Loss", l.Loss)
	chance("Duplicate", l.Duplicate)
	chance("Reorder", l.Reorder)
	length("Spread", l.Spread)
	if l.Bandwidth < 0 {
		errs = append(errs, fmt.Errorf("negative Bandwidth %d: want 0 or more", l.Bandwidth))
	}
	return errors.Join(errs...)
}

type edgeKey struct{ from, to *host }

// edge is one direction between two hosts. It is guarded by Network.mu.
type edge struct {
	link Link
	cut  bool
	free time.Time // with a bandwidth: when the wire has sent what it has

	// Messages, answers and datagrams draw from sources of their own, so that
	// heartbeats, whose number depends on time, do not change the fate of
	// messages.
	streams, answers, grams *rand.Rand
}

// edge returns the direction from one host to another. It is called with n.mu
// held.
func (n *Network) edge(from, to *host) *edge {
	k := edgeKey{from, to}
	e := n.edges[k]
	if e == nil {
		e = &edge{link: n.cfg.Link}
		if from == to {
			e.link = Link{}
		}
		e.streams = n.source(from, to, "streams")
		e.answers = n.source(from, to, "answers")
		e.grams = n.source(from, to, "datagrams")
		n.edges[k] = e
	}
	return e
}

// source returns a source of chance that depends on the seed and the names
// alone, not on what else happens on the network.
func (n *Network) source(from, to *host, use string) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q %q %s", from.name, to.name, use) // a hash takes everything
	return rand.New(rand.NewPCG(n.cfg.Seed, h.Sum64()))
}

// clear reports whether e does nothing to what passes it.
func (e *edge) clear() bool { return !e.cut && e.link == Link{} }

// fate is what happens to one transmission.
type fate struct {
	lost  bool
	at    time.Time // when it arrives
	late  bool      // it may be overtaken
	copy  bool      // a second one arrives
	again time.Time // when
}

// draw decides what happens to a transmission of size bytes. The number of
// draws from src is always the same, so that one setting does not change what
// another one does.
func (e *edge) draw(src *rand.Rand, now time.Time, size int) fate {
	l := &e.link
	f := fate{lost: src.Float64() < l.Loss || e.cut, late: src.Float64() < l.Reorder, copy: src.Float64() < l.Duplicate}
	jitter, lateness, again := part(src, l.Jitter), part(src, l.spread()), part(src, l.spread())
	f.at = e.departure(now, size).Add(l.Delay + jitter)
	f.again = f.at.Add(again)
	if f.late {
		f.at = f.at.Add(lateness)
	}
	return f
}

func (l *Link) spread() time.Duration {
	if l.Spread == 0 {
		return defaultSpread
	}
	return l.Spread
}

// part returns some part of d.
func part(src *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(src.Float64() * float64(d))
}

// departure is when the last of size bytes leaves, behind what left before.
func (e *edge) departure(now time.Time, size int) time.Time {
	if e.link.Bandwidth == 0 {
		return now
	}
	if e.free.Before(now) {
		e.free = now
	}
	e.free = e.free.Add(time.Duration(float64(size) / float64(e.link.Bandwidth) * float64(time.Second)))
	return e.free
}
