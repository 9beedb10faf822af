package interceptor

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// probeBytes is the message of a probe (docs/wire.md, Interceptors).
const probeBytes = "" +
	"\x4f\xa7\x73\x48\x79\x82\x43\xc9\x9f\x6f\x89\x80\xa1\x5b\x07\x14" +
	"\x7d\xd9\x52\x5b\xeb\xf1\x43\x9a\xb7\x7e\xbe\x8f\x81\x67\x1e\xb6" +
	"\x37\x15\xbe\x87\x45\x7e\x4c\xa8\xbf\x0a\x4d\x13\x53\x38\x15\x32" +
	"\x55\xf6\x94\xb7\x3a\xfa\x40\x78\x91\x04\x7d\xd7\x72\x84\xc0\xd5"

// receive swallows the probes of others.
func (d *TCPFailureDetector) receive(ctx context.Context, m *message.Message) error {
	if m.Len() == len(probeBytes) && m.Options.Has(d.set.flag) && bytes.Equal(m.Payload(), []byte(probeBytes)) {
		d.counts.swallowed.Add(1)
		return nil
	}
	return d.above.Receive(ctx, m)
}

// probe runs one probe on a goroutine of its own and puts the result in line
// with the events.
func (d *TCPFailureDetector) probe(ctx context.Context, p *probe) {
	begin := time.Now()
	mark := d.late.mark(begin)
	lag := d.late.lately()
	if lag > 0 {
		d.counts.stretched.Add(1)
	}
	limits := channel.Probe{Kind: p.kind, Connect: d.set.connect + lag}
	window := 2 * limits.Connect
	if p.kind == channel.ProbeRead {
		limits.Read = d.set.read + lag
		window += limits.Read
	}
	err := d.knock(ctx, p.member, limits, window)
	if ctx.Err() != nil {
		return // the channel has stopped
	}
	now := time.Now()
	v := judgeError(err)
	if v == missing && isTimeout(err) && d.late.since(mark, now) > now.Sub(begin)/4 {
		v = noResult
	}
	d.counts.count(v)
	res := probeResult{Kind: p.kind, At: now, Took: now.Sub(begin), Err: err}
	d.host.Serial(func() {
		d.apply(func(r *roster, _ time.Time) { r.result(p, v, res) })
	})
}

// knock asks the sender to test the way to m.
func (d *TCPFailureDetector) knock(ctx context.Context, m *membership.Member, limits channel.Probe, window time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, window)
	defer cancel()
	if limits.Kind != channel.ProbeConnect {
		msg := d.host.NewMessage(len(probeBytes))
		defer msg.Release()
		copy(msg.Payload(), probeBytes)
		msg.Options = d.set.flag | message.ByteMessage
		if limits.Kind == channel.ProbeRead {
			msg.Options |= message.UseAck
		}
		limits.Message = msg
	}
	return d.host.Probe(ctx, m, limits)
}

// judgeError says what the error of a probe means.
func judgeError(err error) verdict {
	switch {
	case err == nil:
		return answered
	case errors.Is(err, channel.ErrServiceOff):
		return noTest
	case errors.Is(err, channel.ErrClosed), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE),
		errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return noResult
	}
	return missing
}

// isTimeout reports whether err says that time ran out.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// fault passes a fault up and takes it as a reason for a probe.
func (d *TCPFailureDetector) fault(m *membership.Member, id message.ID, err error) {
	d.above.Fault(m, id, err)
	if !suspicious(err) {
		return
	}
	if d.faults.add(m.Key(), isTimeout(err)) {
		d.host.Serial(d.takeFaults)
	}
}

// suspicious reports whether err says anything about the destination and not
// about the message or this channel.
func suspicious(err error) bool {
	var remote *message.RemoteError
	if errors.As(err, &remote) {
		return false
	}
	for _, own := range []error{channel.ErrClosed, channel.ErrQueueFull, channel.ErrServiceOff, message.ErrTooLarge, context.Canceled} {
		if errors.Is(err, own) {
			return false
		}
	}
	return err != nil
}

func (d *TCPFailureDetector) takeFaults() {
	d.apply(func(r *roster, now time.Time) {
		for k, timeouts := range d.faults.take() {
			r.fault(k, timeouts, now)
		}
	})
}

// faultBox collects faults until they are taken, however many there are.
type faultBox struct {
	mu    sync.Mutex
	boxes map[membership.Key]int // timeouts of each member with faults
}

// add reports whether the box was empty.
func (b *faultBox) add(k membership.Key, timeout bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	first := b.boxes == nil
	if first {
		b.boxes = make(map[membership.Key]int)
	}
	n := b.boxes[k]
	if timeout {
		n++
	}
	b.boxes[k] = n
	return first
}

func (b *faultBox) take() map[membership.Key]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	boxes := b.boxes
	b.boxes = nil
	return boxes
}
