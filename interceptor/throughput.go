package interceptor

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Throughput is a layer that counts the messages and payload bytes that pass it
// in each direction, and how many there are in a second. It changes nothing and
// adds nothing (docs/wire.md, Interceptors). What it counts depends on where it
// stands: above Gzip the bytes of the application, below it those that travel.
//
// The field is a setting; it is read when the layer is bound. The zero value
// reports as Tribes does. A Throughput serves one channel. Its methods are safe
// for concurrent use.
type Throughput struct {
	// Interval is the number of messages in one direction after which a line with
	// the rates since the last one is logged at the level Info. Zero means 10000,
	// as in Tribes (interval); negative means no lines.
	Interval int

	host           channel.Host
	every          uint64    // 0: no lines
	begin          time.Time // guarded by sent.mu
	sent, received meter
}

var _ channel.Interceptor = (*Throughput)(nil)

const (
	defaultInterval = 10_000
	sampling        = time.Second
)

// BindDown implements channel.Interceptor.
func (t *Throughput) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if t.host != nil {
		return below, errBound
	}
	t.host = h
	t.every = uint64(max(cmp.Or(t.Interval, defaultInterval), 0))
	now := time.Now()
	t.sent.name, t.received.name = "sent", "received"
	for _, m := range t.meters() {
		m.last.at, m.reported.at = now, now
	}
	t.sent.mu.Lock()
	t.begin = now
	t.sent.mu.Unlock()
	h.Every(sampling, func(context.Context) { t.sample(time.Now()) })
	next := below.Send
	below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		bytes := m.Len() * len(to)
		if err := next(ctx, to, m, r); err != nil {
			t.sent.failed.Add(1)
			return err
		}
		t.sent.copies.Add(uint64(len(to)))
		t.count(&t.sent, bytes)
		return nil
	}
	return below, nil
}

// BindUp implements channel.Interceptor.
func (t *Throughput) BindUp(above channel.Up) channel.Up {
	next := above.Receive
	above.Receive = func(ctx context.Context, m *message.Message) error {
		t.received.copies.Add(1)
		t.count(&t.received, m.Len())
		err := next(ctx, m)
		if err != nil {
			t.received.failed.Add(1)
		}
		return err
	}
	return above
}

func (t *Throughput) meters() [2]*meter { return [2]*meter{&t.sent, &t.received} }

// count notes a message and writes a line if it is time.
func (t *Throughput) count(m *meter, bytes int) {
	m.bytes.Add(uint64(bytes))
	if n := m.messages.Add(1); t.every > 0 && n%t.every == 0 {
		t.report(m, time.Now())
	}
}

// sample measures the rates since it was last called.
func (t *Throughput) sample(now time.Time) {
	for _, m := range t.meters() {
		m.mu.Lock()
		m.rate = m.since(&m.last, now)
		m.mu.Unlock()
	}
}

// report logs what one direction has done.
func (t *Throughput) report(m *meter, now time.Time) {
	ctx := context.Background()
	if !t.host.Logger().Enabled(ctx, slog.LevelInfo) {
		return
	}
	m.mu.Lock()
	rate := m.since(&m.reported, now)
	m.mu.Unlock()
	t.host.Logger().LogAttrs(ctx, slog.LevelInfo, "throughput "+m.name,
		slog.Uint64("messages", m.messages.Load()),
		slog.Uint64("bytes", m.bytes.Load()),
		slog.Uint64("failed", m.failed.Load()),
		slog.Float64("messages_per_second", rate.Messages),
		slog.Float64("bytes_per_second", rate.Bytes))
}

// meter counts one direction.
type meter struct {
	name                            string
	messages, copies, bytes, failed atomic.Uint64

	mu       sync.Mutex // guards what follows
	last     reading    // of the last sample
	reported reading    // of the last line
	rate     Rate       // between the last two samples
}

// reading is the state of a meter at a time.
type reading struct {
	at              time.Time
	messages, bytes uint64
}

// since returns the rate since an earlier reading and makes that the present
// one. It is called with mu held.
func (m *meter) since(r *reading, now time.Time) Rate {
	fresh := reading{now, m.messages.Load(), m.bytes.Load()}
	old := *r
	*r = fresh
	return rateOf(fresh.messages-old.messages, fresh.bytes-old.bytes, now.Sub(old.at))
}

func (m *meter) traffic(elapsed time.Duration) Traffic {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := Traffic{
		Messages: m.messages.Load(),
		Copies:   m.copies.Load(),
		Bytes:    m.bytes.Load(),
		Failed:   m.failed.Load(),
		Now:      m.rate,
	}
	t.Mean = rateOf(t.Messages, t.Bytes, elapsed)
	return t
}

// Rate is how much there is in a second.
type Rate struct {
	Messages, Bytes float64
}

func rateOf(messages, bytes uint64, d time.Duration) Rate {
	if d <= 0 {
		return Rate{}
	}
	return Rate{float64(messages) / d.Seconds(), float64(bytes) / d.Seconds()}
}

// Traffic is what has passed a [Throughput] in one direction.
type Traffic struct {
	Messages uint64 // messages: those the layer below accepted, or that were passed up
	Copies   uint64 // the same, once per destination
	Bytes    uint64 // their payload bytes, once per destination
	Failed   uint64 // sends the layer below refused, or messages on which the layer above failed
	Now      Rate   // in the last full second of measuring
	Mean     Rate   // since the layer was bound
}

// ThroughputStats says what has passed a [Throughput].
type ThroughputStats struct {
	Elapsed        time.Duration // since the layer was bound
	Sent, Received Traffic
}

// Stats returns the counts so far. It returns the zero ThroughputStats before
// the layer is bound.
func (t *Throughput) Stats() ThroughputStats {
	t.sent.mu.Lock()
	begin := t.begin
	t.sent.mu.Unlock()
	if begin.IsZero() {
		return ThroughputStats{}
	}
	d := time.Since(begin)
	return ThroughputStats{Elapsed: d, Sent: t.sent.traffic(d), Received: t.received.traffic(d)}
}
