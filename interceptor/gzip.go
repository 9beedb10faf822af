package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Gzip is a layer that compresses messages (docs/wire.md, Interceptors). A
// message longer than MinSize becomes one gzip member, and OptionFlag is set in
// its options. One that would not become smaller is sent as it is, without the
// flag, which receivers of every kind understand; Tribes sends it larger.
//
// A received message with the flag is inflated; the flag stays set for the
// layers above, as in Tribes. Each message is inflated once: what is in it is
// not looked at. It is dropped and counted if its bytes are no gzip member, if
// there is anything behind the member, or if it would become larger than
// allowed (MaxSize, MaxRatio). The error goes to the sender, if it waits for
// the processing: it learns that the message was refused. (Tribes acknowledges
// such a message and drops it, and has no limit.) Inflating takes memory for
// what has arrived and not for what a message claims to be, and never more than
// the limit.
//
// All members of a group need the layer, at the same place in their stacks, and
// each stack has it once. Where applications encrypt, it stands above the layer
// that does so.
//
// The fields are settings; they are read when the layer is bound. The zero value
// is good. A Gzip serves one channel. Its methods are safe for concurrent use.
type Gzip struct {
	// MinSize is the length in bytes up to which messages are sent as they are
	// (compressionMinSize in Tribes). Zero means 128: below it a frame consists
	// mostly of its own head, and what can be won is not worth the work. Negative
	// means that all messages which are not empty are compressed, as in Tribes by
	// default.
	MinSize int
	// Level says how hard to try, from 1 (fastest) to 9 (smallest). Zero means 2,
	// which is twice as fast as Tribes' 6 and about as good on messages.
	Level int
	// OptionFlag marks compressed messages; zero means message.Gzip, 0x100, as in
	// Tribes. It may be several bits, none of those with a meaning of their own.
	OptionFlag message.Options
	// MaxSize bounds, in bytes, what a message may become when it is inflated, and
	// what is compressed: longer messages are sent as they are. Zero means
	// message.DefaultMaxFrame.
	MaxSize int
	// MaxRatio bounds how many times its compressed size a message may become, if
	// that is more than 16 MiB. Zero means 100, negative no bound. Real messages
	// of that size are far below it, but for nearly empty arrays; those this layer
	// sends as they are. Deflate itself can reach 1032.
	MaxRatio int

	base
	set   gzipSettings
	above channel.ReceiveFunc
	pool  *message.Pool

	compressors sync.Pool // of *compressor
	inflaters   sync.Pool // of *inflater
	counts      gzipCounts
}

var _ channel.Interceptor = (*Gzip)(nil)

// The defaults of a Gzip.
const (
	defaultMinSize  = 128
	defaultLevel    = 2
	defaultMaxRatio = 100

	// ratioFree is the size in bytes up to which MaxRatio does not count.
	ratioFree = 16 << 20
	// travelBits are options with a meaning of their own.
	travelBits = 0x7f | message.NumberedAcks | compressBits
)

// gzipSettings are the checked settings of a Gzip, with defaults.
type gzipSettings struct {
	minSize, level    int
	flag              message.Options
	maxSize, maxRatio int // maxRatio 0: no bound
}

func (g *Gzip) settings() (gzipSettings, error) {
	s := gzipSettings{
		minSize:  max(cmp.Or(g.MinSize, defaultMinSize), 0),
		level:    cmp.Or(g.Level, defaultLevel),
		flag:     cmp.Or(g.OptionFlag, message.Gzip),
		maxSize:  cmp.Or(g.MaxSize, message.DefaultMaxFrame),
		maxRatio: max(cmp.Or(g.MaxRatio, defaultMaxRatio), 0),
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: gzip: "+format, args...))
	}
	if s.level < 1 || s.level > 9 {
		bad("Level %d: want 1 to 9", s.level)
	}
	if s.flag&travelBits != 0 {
		bad("OptionFlag %s: want bits without a meaning of their own, 0x80 and up", s.flag)
	}
	if s.maxSize < 0 {
		bad("MaxSize %d: want at least 1 byte", s.maxSize)
	}
	return s, errors.Join(errs...)
}

// limit is the size up to which a message of size compressed bytes is inflated.
func (s *gzipSettings) limit(size int) int {
	return expandLimit(size, s.maxSize, s.maxRatio, ratioFree)
}

// expandLimit is the size up to which size compressed bytes are expanded: maxSize at most,
// and, beyond free, maxRatio times size; a ratio of 0 is no bound.
func expandLimit(size, maxSize, maxRatio, free int) int {
	if maxRatio == 0 || size > maxSize/maxRatio {
		return maxSize
	}
	return min(maxSize, max(free, size*maxRatio))
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (g *Gzip) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := g.settings()
	if err := g.bind("Gzip", h, below, err); err != nil {
		return below, err
	}
	g.set, g.pool = set, h.Pool()
	below.Send = g.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (g *Gzip) BindUp(above channel.Up) channel.Up {
	g.above = above.Receive
	above.Receive = g.receive
	return above
}

// send is the layer's SendFunc.
func (g *Gzip) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	size := m.Len()
	done := size > g.set.minSize && size <= g.set.maxSize && g.compress(m)
	if done {
		m.Options |= g.set.flag
	} else {
		m.Options &^= g.set.flag // an application may answer with the options it got
	}
	g.counts.sent.note(done, size, m.Len())
	return g.next(ctx, to, m, r)
}

// compress replaces the payload of m if that makes it smaller, and a receiver
// with these settings would take it.
func (g *Gzip) compress(m *message.Message) bool {
	c, ok := g.compressors.Get().(*compressor)
	if !ok {
		c = newCompressor(g.set.level)
	}
	size := m.Len()
	out := g.pool.Get(size)
	n, ok := c.compress(out.Bytes(), m.Payload())
	g.compressors.Put(c)
	if !ok || n >= size || size > g.set.limit(n) {
		out.Release()
		return false
	}
	m.SetPayload(out)
	m.Trim(size - n)
	return true
}

// receive is the layer's ReceiveFunc.
func (g *Gzip) receive(ctx context.Context, m *message.Message) error {
	if m.Options&g.set.flag == 0 {
		g.counts.received.note(false, m.Len(), m.Len())
		return g.above(ctx, m)
	}
	size := m.Len()
	if err := g.inflate(m); err != nil {
		g.counts.dropped.Add(1)
		g.drops.message(m, reasonOf(err), err)
		return fmt.Errorf("tribes: gzip: %w", err)
	}
	g.counts.received.note(true, m.Len(), size)
	return g.above(ctx, m)
}

// inflate replaces the payload of m.
func (g *Gzip) inflate(m *message.Message) error {
	c, ok := g.inflaters.Get().(*inflater)
	if !ok {
		c = new(inflater)
	}
	out, n, err := c.inflate(g.pool, m.Payload(), g.set.limit(m.Len()))
	g.inflaters.Put(c)
	if err != nil {
		return err
	}
	size := len(out.Bytes())
	m.SetPayload(out)
	m.Trim(size - n)
	return nil
}
