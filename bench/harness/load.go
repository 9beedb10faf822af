package harness

import (
	"math/rand/v2"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"
)

// errorPause keeps a caller whose sends fail at once from spinning.
const errorPause = time.Millisecond

// receiveCount counts what the receiving application looked at.
type receiveCount struct {
	messages, bytes atomic.Uint64
	look            atomic.Uint32
}

// received looks at the first and the last byte, as an application would.
func (c *receiveCount) received(payload []byte) {
	if n := len(payload); n > 0 {
		c.look.Store(uint32(payload[0]) + uint32(payload[n-1]))
	}
	c.messages.Add(1)
	c.bytes.Add(uint64(len(payload)))
}

// load is a number of callers in a closed loop. Its counters go on from one
// start to the next.
type load struct {
	done, sent, errs atomic.Uint64
	lastErr          atomic.Pointer[string]

	quit    chan struct{}
	callers sync.WaitGroup
	mu      sync.Mutex // guards latency
	latency []*histogram
}

func (l *load) running() bool { return l.quit != nil }

func (l *load) start(send func([]byte) error, size, callers int) {
	l.quit = make(chan struct{})
	l.mu.Lock()
	l.latency = make([]*histogram, callers)
	for i := range l.latency {
		l.latency[i] = new(histogram)
	}
	l.mu.Unlock()
	for i := range callers {
		h := l.latency[i]
		l.callers.Go(func() { l.call(send, randomBytes(size), h) }) // ends when quit is closed
	}
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

func (l *load) call(send func([]byte) error, payload []byte, h *histogram) {
	for {
		select {
		case <-l.quit:
			return
		default:
		}
		begin := time.Now()
		err := send(payload)
		if err == nil {
			took := time.Since(begin)
			l.sent.Add(1)
			h.add(uint64(took))
			continue
		}
		text := err.Error()
		l.lastErr.Store(&text)
		l.errs.Add(1)
		select {
		case <-l.quit:
		case <-time.After(errorPause):
		}
	}
}

func (l *load) stop() {
	if l.running() {
		close(l.quit)
		l.callers.Wait()
		l.quit = nil
	}
}

// mark returns the counters, and the latencies since the last mark.
func (m *member) mark() event {
	ev := event{"done": uint64(0), "sent": uint64(0), "errs": uint64(0), "lastErr": "",
		"n": uint64(0), "p50": uint64(0), "p99": uint64(0), "p999": uint64(0)}
	if l := m.load; l != nil {
		n, q := l.latencies() // before the counters, which thus are never behind
		ev["n"], ev["p50"], ev["p99"], ev["p999"] = n, q[0], q[1], q[2]
		ev["done"], ev["sent"], ev["errs"] = l.done.Load(), l.sent.Load(), l.errs.Load()
		if text := l.lastErr.Load(); text != nil {
			ev["lastErr"] = *text
		}
	}
	ev["recv"], ev["recvBytes"] = m.count.messages.Load(), m.count.bytes.Load()
	ev["alloc"] = allocated()
	return ev
}

func (l *load) latencies() (uint64, []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var sum [64 * 64]uint64
	for _, h := range l.latency {
		h.take(&sum)
	}
	return quantiles(&sum, 0.5, 0.99, 0.999)
}

// allocated is the number of bytes allocated on the heap since the start.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
