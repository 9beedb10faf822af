//go:build !race

package mcast

import (
	"testing"
	"time"
)

func TestAllocations(t *testing.T) {
	b := newBench(t, Config{})
	m := newMember(t, 2, nil)
	b.feed([]byte(m.Image()))
	var alive int64
	buffer := make([]byte, 0, 200)
	d := datagram{from: b.env.Local.AddrPort()}
	for name, f := range map[string]func(){
		"heartbeat of a known member": func() {
			alive++
			d.b = m.AppendImage(buffer, alive)
			b.handle(&d, time.Now())
		},
		"our own heartbeat": func() {
			d.b = b.appendHeartbeat(buffer)
			b.handle(&d, time.Now())
		},
		"damaged heartbeat": func() {
			d.b = m.AppendImage(buffer, 1)[:70]
			b.handle(&d, time.Now())
		},
	} {
		want := 0.0
		if name == "damaged heartbeat" {
			want = 2 // the error
		}
		if got := testing.AllocsPerRun(1000, f); got > want {
			t.Errorf("%s: %v allocations, want %v", name, got, want)
		}
	}
	if got := b.counts.heartbeats.Load(); got < 1000 {
		t.Errorf("%d heartbeats taken, want more", got)
	}
}
