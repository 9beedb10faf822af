package replica

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gotribes/tribes/session/internal/record"
	"github.com/gotribes/tribes/session/internal/sessionwire"
)

// BenchmarkReplicaHeap measures what a session of another node takes here, with one
// attribute of 16 bytes, in the table, the index of ids and the record: heap in use after
// a garbage collection, per session.
func BenchmarkReplicaHeap(b *testing.B) {
	const sessions = 100_000
	r := newRig(b)
	defer r.stop()
	n := r.start("a", func(c *Config) { c.Sessions, c.Discover, c.Tell = sessions, time.Millisecond, func(Event) {} })
	m := phantom(b, 'p')
	must(b, n.met(m, hello(sessionwire.Ready)))
	other, p := record.NewSite(m.ID(), record.Limits{}, false), n.peers.Get(m.ID())
	change := func(i int) []byte {
		var k record.Key
		binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
		s := record.New(other, k)
		must(b, s.SetID(fmt.Sprintf("%024d.node-1", i)), s.SetTimeout(time.Hour, 0), s.Set("user", make([]byte, 16)))
		return sessionwire.Append(nil, &sessionwire.Change{Change: *s.Take(0)})
	}
	for b.Loop() {
		before := heap()
		for i := range sessions {
			m, err := sessionwire.Decode(change(i))
			must(b, err, n.change(p, &m.(*sessionwire.Change).Change))
		}
		b.ReportMetric(float64(heap()-before)/sessions, "B/session")
		if n.Count() != sessions {
			b.Fatalf("%d sessions", n.Count())
		}
		b.StopTimer()
		for h := range n.All() {
			h.Mu.Lock()
			n.tab.Remove(h, h.Rec.ID())
			h.Mu.Unlock()
		}
		b.StartTimer()
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
