package mcast

import (
	"testing"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// FuzzDatagram feeds two datagrams to a listener with one member. Nothing may
// panic, the books must agree with the table, every datagram is counted, and the
// member is heard as before.
func FuzzDatagram(f *testing.F) {
	for _, v := range vectors(f) {
		b := v.bytes(f)
		f.Add(b, b)
		f.Add(b[:len(b)/2], []byte{})
	}
	f.Add([]byte(message.AckFrame), []byte(message.FailAckFrame))
	f.Add(frameOf("one"), append(frameOf("two"), frameOf("three")...))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		b := newBench(t, Config{Messages: FromAnyone})
		taken := b.collect()
		good := newMember(t, 3, nil)
		b.feed([]byte(good.Image()))
		b.feed(one)
		b.feed(two)
		b.feed(good.AppendImage(nil, 1000))
		for _, m := range taken() {
			m.Release()
		}
		view := b.View()
		if len(b.peers) != view.Len() {
			t.Errorf("books of %d members, table of %d", len(b.peers), view.Len())
		}
		for _, m := range view.Members {
			if b.peers[m.Key()] == nil || !m.Dialable() || m.Leaving() || m.Key() == b.env.Local.Key() {
				t.Errorf("member %s is in the table", m)
			}
		}
		if view.Find(good.Key()) == nil || b.counts.heartbeats.Load() == 0 {
			t.Error("a good heartbeat was not taken")
		}
		if got := b.counts.received.Load(); got != 4 {
			t.Errorf("%d datagrams counted, want 4", got)
		}
		for _, ev := range b.events {
			if ev.Kind == membership.Failed || ev.Member == nil {
				t.Errorf("event %v", ev)
			}
		}
	})
}

// Every vector cut at every offset, and with every bit flipped, leaves the
// listener in order.
func TestDamagedVectors(t *testing.T) {
	for name, v := range vectors(t) {
		b := newBench(t, Config{Messages: FromAnyone})
		taken := b.collect()
		good, n := v.bytes(t), uint64(0)
		for i := range good {
			b.feed(good[:i])
			n++
			for bit := range 8 {
				bad := append([]byte(nil), good...)
				bad[i] ^= 1 << bit
				b.feed(bad)
				n++
			}
		}
		for _, m := range taken() {
			m.Release()
		}
		if got := b.counts.received.Load(); got != n {
			t.Errorf("%s: %d datagrams counted, want %d", name, got, n)
		}
		if len(b.peers) != b.View().Len() {
			t.Errorf("%s: books of %d members, table of %d", name, len(b.peers), b.View().Len())
		}
	}
}
