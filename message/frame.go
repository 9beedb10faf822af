package message

import (
	"encoding/binary"
	"errors"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

const (
	startMagic = "FLT2002"
	endMagic   = "TLF2003"

	headSize  = len(startMagic) + 4 // magic and data length
	frameRest = headSize + len(endMagic)
	dataFixed = 24 // data without message id, sender and message
)

// DefaultMaxFrame is the largest frame in bytes that receivers take and senders
// send if not told otherwise. Tribes has no limit but that of the format, which
// cannot say more than 2 GiB.
const DefaultMaxFrame = 64 << 20

// MaxID is the longest message id in bytes that is taken. Tribes makes ids of 16
// bytes and reads any.
const MaxID = 255

// FormatError says why bytes are no frame, and at which byte.
type FormatError = wire.FormatError

// Frame is the content of a data frame (docs/wire.md, Frame). Its byte slices
// alias the input they were parsed from.
type Frame struct {
	Options Options
	Sent    int64  // milliseconds since 1970 by the sender's clock
	ID      []byte // message id, 16 bytes except from odd nodes
	Sender  []byte // a member image, not yet decoded
	Message []byte
}

// Scan looks at the start of b for one frame of at most limit bytes; zero means
// DefaultMaxFrame.
//
// If a whole frame is there, data is what it carries, aliasing b and not nil,
// and size is the frame's size. If it is incomplete, data is nil and size is
// its size as far as known, else 0. An error, a *[FormatError], means that the
// stream has lost its framing and cannot be read on; a wrong magic is noticed
// at its first byte and a length out of bounds before any of its bytes arrive.
func Scan(b []byte, limit int) (data []byte, size int, err error) {
	if limit <= 0 {
		limit = DefaultMaxFrame
	}
	for i := range min(len(b), len(startMagic)) {
		if b[i] != startMagic[i] {
			return nil, 0, &FormatError{Reason: wire.BadMagic, Offset: 0}
		}
	}
	if len(b) < headSize {
		return nil, 0, nil
	}
	n := int(int32(binary.BigEndian.Uint32(b[len(startMagic):])))
	switch {
	case n < 0:
		return nil, 0, &FormatError{Reason: wire.BadLength, Offset: len(startMagic)}
	case n > limit-frameRest:
		return nil, 0, &FormatError{Reason: wire.TooLarge, Offset: len(startMagic)}
	}
	size = n + frameRest
	if len(b) < size {
		return nil, size, nil
	}
	if string(b[headSize+n:size]) != endMagic {
		return nil, 0, &FormatError{Reason: wire.BadEnd, Offset: headSize + n}
	}
	return b[headSize : headSize+n : headSize+n], size, nil
}

// ParseFrame reads the data of a frame as [Scan] returns it. Every inner length
// is checked against what the frame holds; bytes left over are an error, as are
// an id of more than [MaxID] bytes and a sender of more than a member image can
// have. Offsets in the *[FormatError] count from the start of the frame.
func ParseFrame(data []byte) (Frame, error) {
	r := wire.NewInner(data, headSize)
	f := Frame{Options: Options(r.Uint32()), Sent: r.Int64()}
	at := r.Offset()
	if f.ID = r.Sized(); len(f.ID) > MaxID {
		r.Fail(wire.TooLarge, at)
	}
	at = r.Offset()
	f.Sender = r.Sized()
	switch {
	case len(f.Sender) > membership.MaxImage:
		r.Fail(wire.TooLarge, at)
	case len(f.Sender) == 0:
		r.Fail(wire.NoSender, at)
	}
	f.Message = r.Sized()
	if r.Left() != 0 {
		r.Fail(wire.TrailingBytes, r.Offset())
	}
	if err := r.Err(); err != nil {
		return Frame{}, err
	}
	return f, nil
}

// DecodeSender decodes the sender of f. Unlike a heartbeat, a frame may have no
// bytes behind the image. Offsets in the error count from the start of the frame.
func (f *Frame) DecodeSender() (*membership.Member, error) {
	base := headSize + dataFixed - 4 + len(f.ID)
	m, n, err := membership.Decode(f.Sender)
	var fe *FormatError
	switch {
	case errors.As(err, &fe):
		return nil, &FormatError{Reason: fe.Reason, Offset: fe.Offset + base}
	case n != len(f.Sender):
		return nil, &FormatError{Reason: wire.TrailingBytes, Offset: base + n}
	}
	return m, nil
}

// FromFrame makes a message of a parsed frame. Its payload aliases f.Message;
// if that lies in chunk, the message holds a reference to chunk until it is
// released. With a nil chunk the payload is copied into memory of the pool. The
// NumberedAcks bit is cleared.
func (p *Pool) FromFrame(f *Frame, source *membership.Member, chunk *Buffer) *Message {
	var m *Message
	if chunk == nil {
		m = p.New(len(f.Message))
		copy(m.payload, f.Message)
	} else {
		chunk.Retain()
		m = p.message()
		m.buf = chunk
		m.payload = f.Message[:len(f.Message):len(f.Message)]
	}
	m.Source, m.Sent, m.Options = source, f.Sent, f.Options&^NumberedAcks
	copy(m.ID[:], f.ID)
	if len(f.ID) != len(m.ID) {
		m.foreign, m.wireID = true, string(f.ID)
	}
	return m
}

// FrameSize is the size in bytes of the frame that carries m, whose Source must
// be set.
func FrameSize(m *Message) int {
	return frameRest + dataFixed + m.wireIDLen() + m.Source.ImageSize() + len(m.payload)
}

// AppendFrame appends the frame that carries m; extra is or-ed into its options.
func AppendFrame(b []byte, m *Message, extra Options) []byte {
	b = AppendHead(b, m, extra)
	b = append(b, m.payload...)
	return AppendEnd(b)
}

// AppendHead appends what comes before the payload in the frame that carries m.
// The payload and [AppendEnd] must follow on the wire.
func AppendHead(b []byte, m *Message, extra Options) []byte {
	b = append(b, startMagic...)
	b = wire.Int32(b, int32(FrameSize(m)-frameRest))
	b = wire.Uint32(b, uint32(m.Options|extra))
	b = wire.Int64(b, m.Sent)
	if m.foreign {
		b = wire.Sized(b, m.wireID)
	} else {
		b = wire.Sized(b, m.ID[:])
	}
	b = wire.Sized(b, m.Source.Image())
	return wire.Int32(b, int32(len(m.payload)))
}

// AppendEnd appends what comes behind the payload in a frame.
func AppendEnd(b []byte) []byte { return append(b, endMagic...) }
