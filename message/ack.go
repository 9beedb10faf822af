package message

import (
	"fmt"

	"github.com/gotribes/tribes/internal/wire"
)

// The two replies of Tribes, as whole frames (docs/wire.md, Acks). They carry
// no message id: on one connection they answer acked frames in order.
const (
	AckFrame     = startMagic + "\x00\x00\x00\x03" + ackData + endMagic
	FailAckFrame = startMagic + "\x00\x00\x00\x03" + failAckData + endMagic

	ackData     = "\x06\x02\x03"
	failAckData = "\x0b\x00\x05"
)

// Numbered acks are an extension of ours (docs/wire.md, Numbered acks). The
// frames with UseAck on one connection are numbered from 1 by both sides. A
// numbered ack settles all of them up to UpTo, and single ones beyond.
const (
	numberedMagic = "GoTA"
	ackVersion    = 1
	// MaxReason is the longest text, in bytes, that a refusal carries.
	MaxReason = 255
	// MaxSettled is the largest number of entries in one numbered ack.
	MaxSettled = 1 << 14
)

// Caps are bits that say which extensions the answering member understands.
type Caps uint32

// The extensions.
const (
	// CapZstd: messages with the option Zstd.
	CapZstd Caps = 1 << iota
	// CapS2: messages with the option S2.
	CapS2
)

// Has reports whether all of the given extensions are understood.
func (c Caps) Has(all Caps) bool { return c&all == all }

// ReplyKind says what an answer frame is.
type ReplyKind uint8

// The kinds of answers.
const (
	PlainAck ReplyKind = iota + 1
	PlainFailAck
	NumberedAck
)

// Reply is an answer to acked frames of one connection.
type Reply struct {
	Kind    ReplyKind // zero after an error
	Caps    Caps      // NumberedAck: what the answering member understands
	UpTo    uint64    // NumberedAck: every frame up to this number is settled
	Settled []Settled // NumberedAck: refusals up to UpTo, and any outcome beyond it
}

// Settled is the outcome of one frame in a numbered ack: Acknowledged or Refused.
type Settled struct {
	Number  uint64 // of the frame, from 1
	Outcome Outcome
	Reason  string // Refused: the text of the listener's error, cut at MaxReason bytes
}

const (
	settledAck    = 1
	settledRefuse = 2
)

// AppendNumberedAck appends the frame of a numbered ack. There may be at most
// MaxSettled entries; reasons are cut at MaxReason bytes. An outcome other than
// Acknowledged is told as Refused.
func AppendNumberedAck(b []byte, caps Caps, upTo uint64, settled []Settled) []byte {
	size := len(numberedMagic) + 1 + 4 + 8 + 4
	for i := range settled {
		size += 8 + 1 + 1 + min(len(settled[i].Reason), MaxReason)
	}
	b = append(b, startMagic...)
	b = wire.Int32(b, int32(size))
	b = append(b, numberedMagic...)
	b = append(b, ackVersion)
	b = wire.Uint32(b, uint32(caps))
	b = wire.Int64(b, int64(upTo))
	b = wire.Int32(b, int32(len(settled)))
	for i := range settled {
		b = appendSettled(b, &settled[i])
	}
	return AppendEnd(b)
}

func appendSettled(b []byte, s *Settled) []byte {
	code := byte(settledRefuse)
	if s.Outcome == Acknowledged {
		code = settledAck
	}
	b = wire.Int64(b, int64(s.Number))
	b = append(b, code)
	reason := s.Reason[:min(len(s.Reason), MaxReason)]
	b = append(b, byte(len(reason)))
	return append(b, reason...)
}

// ParseReply reads the data of an answer frame as [Scan] returns it into r,
// whose Settled slice is reused. Offsets in the *[FormatError] count from the
// start of the frame.
func ParseReply(data []byte, r *Reply) error {
	*r = Reply{Settled: r.Settled[:0]}
	switch string(data) {
	case ackData:
		r.Kind = PlainAck
		return nil
	case failAckData:
		r.Kind = PlainFailAck
		return nil
	}
	return parseNumbered(data, r)
}

func parseNumbered(data []byte, r *Reply) error {
	rd := wire.NewInner(data, headSize)
	rd.Magic(numberedMagic, wire.BadAck)
	at := rd.Offset()
	if v := rd.Uint8(); v != ackVersion {
		rd.Fail(wire.BadAck, at)
	}
	r.Caps = Caps(rd.Uint32())
	r.UpTo = rd.Uint64()
	for range settledCount(&rd) {
		r.Settled = append(r.Settled, readSettled(&rd))
		if rd.Err() != nil {
			break
		}
	}
	if rd.Left() != 0 {
		rd.Fail(wire.TrailingBytes, rd.Offset())
	}
	if err := rd.Err(); err != nil {
		*r = Reply{Settled: r.Settled[:0]}
		return err
	}
	r.Kind = NumberedAck
	return nil
}

// settledCount reads how many entries follow; there must be room for them.
func settledCount(rd *wire.Reader) int {
	const least = 8 + 1 + 1
	at := rd.Offset()
	n := int(rd.Int32())
	switch {
	case n < 0:
		rd.Fail(wire.BadLength, at)
	case n > MaxSettled:
		rd.Fail(wire.TooLarge, at)
	case n > rd.Left()/least:
		rd.Fail(wire.LengthPastEnd, at)
	}
	if rd.Err() != nil {
		return 0
	}
	return n
}

func readSettled(rd *wire.Reader) Settled {
	at := rd.Offset()
	s := Settled{Number: rd.Uint64()}
	if s.Number == 0 {
		rd.Fail(wire.BadNumber, at)
	}
	at = rd.Offset()
	switch rd.Uint8() {
	case settledAck:
		s.Outcome = Acknowledged
	case settledRefuse:
		s.Outcome = Refused
	default:
		rd.Fail(wire.BadAck, at)
	}
	s.Reason = string(rd.Bytes(int(rd.Uint8())))
	return s
}

// String describes the reply for logs.
func (r *Reply) String() string {
	switch r.Kind {
	case PlainAck:
		return "ack"
	case PlainFailAck:
		return "fail-ack"
	case NumberedAck:
		return fmt.Sprintf("ack up to %d and %d single", r.UpTo, len(r.Settled))
	}
	return "no reply"
}
