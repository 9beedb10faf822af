package interceptor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Compress is a layer that compresses messages between members of this module with
// Zstd or S2 (docs/wire.md, Compress). It is an extension of ours: unlike Gzip it
// needs no agreement, and may stand in some stacks of a group, Java nodes included.
//
// A member with the layer says so in its answers to acked messages, and nothing else
// does: a message goes compressed to the destinations that have said so before, and
// as it is to all others. So the first message to a member is never compressed, nor
// are those to members that are only sent messages without UseAck, or by a sender
// with a Window of 1. Nor are datagrams to the whole group (the option Multicast).
// Members that have the layer read both codecs, whatever their own Codec is. When a
// connection has ended its member has to say so again. (One that has the same id
// after a restart, and the layer no more, can still be sent again what was compressed
// for its last run: who takes the layer out gives the member another id.)
//
// A message is sent as it is if it is not longer than MinSize, or would not become
// smaller. One that goes to both kinds of destinations is handed down twice, with the
// same id; its bytes are not copied for that.
//
// What was compressed is expanded before it goes up, and looks as it did before. It
// is dropped and counted if it is damaged, or if it would become larger than allowed
// (MaxSize, MaxRatio): its sender is told, if it waits for the processing. Nothing
// is taken for it but memory for the result, and no more than is allowed for its
// compressed size. Each message is expanded once: what is in it is not looked at.
//
// The layer stands above Encrypt. The fields are settings; they are read when the
// layer is bound. The zero value is good. A Compress serves one channel. Its methods
// are safe for concurrent use.
type Compress struct {
	// Codec is how messages are compressed that are sent. The zero Codec is Zstd.
	// Messages of either kind are taken.
	Codec Codec
	// Level says how hard to try: 1 (fastest), 2, or 3 (smallest), which with S2 is
	// the same as 2. Zero means 1.
	Level int
	// MinSize is the length in bytes up to which messages are sent as they are. Zero
	// means 256, negative none.
	MinSize int
	// MaxSize bounds, in bytes, what a message may expand to, and what is compressed:
	// longer messages are sent as they are. Zero means message.DefaultMaxFrame. All
	// members should have the same.
	MaxSize int
	// MaxRatio bounds how many times its compressed size a message may become, if
	// that is more than 1 MiB. Zero means 100, negative no bound. Messages beyond it
	// are sent as they are. All members should have the same.
	MaxRatio int

	base
	set    compressSettings
	above  channel.ReceiveFunc
	codecs [2]codec
	splits sync.Pool // of *split
	slow   atomic.Bool
	counts compressCounts
}

var _ channel.Interceptor = (*Compress)(nil)

// The defaults of a Compress.
const (
	defaultCompressMin   = 256
	defaultCompressLevel = 1
	mostCompressLevel    = 3

	// compressFree is the size in bytes up to which MaxRatio does not count.
	compressFree = 1 << 20
	// compressBits are the options of the layer.
	compressBits = message.Zstd | message.S2
)

// compressSettings are the checked settings of a Compress, with defaults.
type compressSettings struct {
	codec             Codec
	minSize, level    int
	maxSize, maxRatio int // maxRatio 0: no bound
}

func (c *Compress) settings() (compressSettings, error) {
	s := compressSettings{
		codec:    c.Codec,
		minSize:  max(cmp.Or(c.MinSize, defaultCompressMin), 0),
		level:    cmp.Or(c.Level, defaultCompressLevel),
		maxSize:  cmp.Or(c.MaxSize, message.DefaultMaxFrame),
		maxRatio: max(cmp.Or(c.MaxRatio, defaultMaxRatio), 0),
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: compress: "+format, args...))
	}
	if int(s.codec) >= len(codecNames) {
		bad("Codec %d: want Zstd or S2", uint8(s.codec))
	}
	if s.level < 1 || s.level > mostCompressLevel {
		bad("Level %d: want 1 to %d", s.level, mostCompressLevel)
	}
	if s.maxSize < 0 || s.maxSize > math.MaxInt32 {
		bad("MaxSize %d: want 1 byte to 2 GiB", s.maxSize)
	}
	return s, errors.Join(errs...)
}

// limit is the size up to which a message of size compressed bytes is expanded.
func (s *compressSettings) limit(size int) int {
	return expandLimit(size, s.maxSize, s.maxRatio, compressFree)
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (c *Compress) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := c.settings()
	if err := c.bind("Compress", h, below, err); err != nil {
		return below, err
	}
	c.set = set
	c.codecs = [...]codec{Zstd: newZstdCodec(set.level, set.maxSize), S2: newS2Codec(set.level)}
	for _, k := range c.codecs {
		h.Announce(k.caps())
	}
	below.Send = c.send
	return below, nil
}

// BindUp implements channel.Interceptor.
func (c *Compress) BindUp(above channel.Up) channel.Up {
	c.above = above.Receive
	above.Receive = c.receive
	return above
}

// send is the layer's SendFunc.
func (c *Compress) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	m.Options &^= compressBits // an application may answer with the options it got
	size := m.Len()
	if size <= c.set.minSize || size > c.set.maxSize || m.Options.Has(message.Multicast) {
		return c.sendPlain(ctx, to, m, r)
	}
	k := c.codecs[c.set.codec]
	s := c.split(to, k.caps())
	defer c.put(s)
	if len(s.able) == 0 {
		return c.sendPlain(ctx, to, m, r)
	}
	out, n := c.compress(k, m.Payload())
	switch {
	case out == nil:
		return c.sendPlain(ctx, to, m, r)
	case len(s.others) > 0:
		return c.sendBoth(ctx, s, m, packed{out, n, k.option()}, r)
	}
	m.SetPayload(out)
	m.Trim(len(out.Bytes()) - n)
	m.Options |= k.option()
	c.counts.sent.note(true, size, n)
	return c.next(ctx, to, m, r)
}

func (c *Compress) sendPlain(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	c.counts.sent.note(false, m.Len(), m.Len())
	return c.next(ctx, to, m, r)
}

// compress returns the compressed form of payload, n bytes in a buffer with one
// reference, or nil if it is not smaller or a receiver with these settings would not
// take it.
func (c *Compress) compress(k codec, payload []byte) (out *message.Buffer, n int) {
	out = c.host.Pool().Get(k.room(len(payload)))
	n = k.compress(out.Bytes(), payload)
	if n >= len(payload) || len(payload) > c.set.limit(n) {
		out.Release()
		return nil, 0
	}
	return out, n
}

// receive is the layer's ReceiveFunc.
func (c *Compress) receive(ctx context.Context, m *message.Message) error {
	size := m.Len()
	if m.Options&compressBits == 0 {
		c.counts.received.note(false, size, size)
		return c.above(ctx, m)
	}
	if err := c.expand(m); err != nil {
		c.counts.dropped.Add(1)
		reason := reasonNotCompressed
		if err == errInflatesTooFar {
			reason = reasonTooFar
		}
		c.drops.message(m, reason, err)
		return fmt.Errorf("tribes: compress: %w", err)
	}
	c.counts.received.note(true, m.Len(), size)
	return c.above(ctx, m)
}

// The reasons for which a Compress drops messages, as the trace tells them.
const (
	reasonNotCompressed = "bad compression"
	reasonTooFar        = "inflates too far"
)

// expand replaces the payload of m.
func (c *Compress) expand(m *message.Message) error {
	var k codec
	for _, x := range c.codecs {
		if m.Options&compressBits == x.option() {
			k = x
		}
	}
	if k == nil {
		return errNotCompressed // both at a time
	}
	n, err := k.claim(m.Payload())
	switch {
	case err != nil:
		return err
	case n > c.set.limit(m.Len()):
		return errInflatesTooFar
	}
	out := c.host.Pool().Get(n)
	if err := k.expand(out.Bytes(), m.Payload()); err != nil {
		out.Release()
		return err
	}
	m.SetPayload(out)
	m.Options &^= compressBits
	return nil
}
