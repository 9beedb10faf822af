package interceptor

import (
	"errors"
	"fmt"
	"math"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/gotribes/tribes/message"
)

// Codec is how a [Compress] layer compresses.
type Codec uint8

// The codecs.
const (
	// Zstd is Zstandard, RFC 8878: smaller than what Gzip makes at the same cost, and
	// cheaper to expand.
	Zstd Codec = iota
	// S2 is the block format of that name, an extension of Snappy: several times as
	// fast, and less small.
	S2
)

var codecNames = [...]string{Zstd: "zstd", S2: "s2"}

// String returns the name of c in lower case.
func (c Codec) String() string {
	if int(c) < len(codecNames) {
		return codecNames[c]
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// codec compresses and expands. It is safe for concurrent use.
type codec interface {
	option() message.Options // marks what it has compressed
	caps() message.Caps      // of who can expand that
	room(n int) int          // what compress needs for n bytes
	// compress writes the compressed form of src to dst, which has room, and returns
	// its length.
	compress(dst, src []byte) int
	// claim is the length that src says it expands to.
	claim(src []byte) (int, error)
	// expand fills dst, which is as long as src claims.
	expand(dst, src []byte) error
}

var (
	errNotCompressed = errors.New("it is not what its options say")
	errNotThatLong   = errors.New("it does not expand to what it claims")
)

// zstdCodec makes and takes single frames of one segment, which say how long their
// content is.
type zstdCodec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// zstdWindow bounds how far back a match is looked for, and so the memory of a coder.
const zstdWindow = 1 << 20

func newZstdCodec(level int, maxSize int) *zstdCodec {
	levels := [...]zstd.EncoderLevel{zstd.SpeedFastest, zstd.SpeedDefault, zstd.SpeedBetterCompression}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(levels[level-1]), zstd.WithWindowSize(zstdWindow),
		zstd.WithSingleSegment(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("tribes: compress: settings of zstd that never change: " + err.Error())
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxWindow(uint64(max(maxSize, zstd.MinWindowSize))), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("tribes: compress: settings of zstd that never change: " + err.Error())
	}
	return &zstdCodec{enc, dec}
}

func (*zstdCodec) option() message.Options { return message.Zstd }
func (*zstdCodec) caps() message.Caps      { return message.CapZstd }
func (z *zstdCodec) room(n int) int        { return z.enc.MaxEncodedSize(n) }

func (z *zstdCodec) compress(dst, src []byte) int { return len(z.enc.EncodeAll(src, dst[:0])) }

func (*zstdCodec) claim(src []byte) (int, error) {
	var h zstd.Header
	switch err := h.Decode(src); {
	case err != nil || h.Skippable || h.DictionaryID != 0 || !h.SingleSegment || !h.HasFCS:
		return 0, errNotCompressed
	case h.FrameContentSize > math.MaxInt32:
		return 0, errInflatesTooFar
	}
	return int(h.FrameContentSize), nil
}

func (z *zstdCodec) expand(dst, src []byte) error {
	out, err := z.dec.DecodeAll(src, dst[:0:len(dst)])
	switch {
	case err != nil:
		return errNotCompressed
	case len(out) != len(dst):
		return errNotThatLong
	}
	return nil
}

// s2Codec makes and takes single blocks, which begin with the length of their
// content.
type s2Codec struct {
	encode func(dst, src []byte) []byte
}

func newS2Codec(level int) *s2Codec {
	if level == 1 {
		return &s2Codec{s2.Encode}
	}
	return &s2Codec{s2.EncodeBetter} // the next one takes a millisecond for a kilobyte
}

func (*s2Codec) option() message.Options { return message.S2 }
func (*s2Codec) caps() message.Caps      { return message.CapS2 }
func (*s2Codec) room(n int) int          { return s2.MaxEncodedLen(n) }

func (c *s2Codec) compress(dst, src []byte) int { return len(c.encode(dst, src)) }

func (*s2Codec) claim(src []byte) (int, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return 0, errNotCompressed
	}
	return n, nil
}

func (*s2Codec) expand(dst, src []byte) error {
	out, err := s2.Decode(dst, src)
	switch {
	case err != nil:
		return errNotCompressed
	case len(out) != len(dst):
		return errNotThatLong
	}
	return nil
}
