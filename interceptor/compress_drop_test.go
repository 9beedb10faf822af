package interceptor

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestCompressDrops(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	single := zstd.WithSingleSegment(true)
	frame, block := zstdFrame(t, text, single), s2.Encode(nil, text)
	bomb := make([]byte, 4<<20)
	claims := func(n uint64) []byte { return append(binary.AppendUvarint(nil, n), block[2:]...) }
	tests := []struct {
		name    string
		layer   *Compress
		payload []byte
		options message.Options
		reason  string
	}{
		{"nothing", new(Compress), nil, message.Zstd, reasonNotCompressed},
		{"nothing, s2", new(Compress), nil, message.S2, reasonNotCompressed},
		{"text", new(Compress), text, message.Zstd, reasonNotCompressed},
		{"text, s2", new(Compress), text[:50], message.S2, reasonNotCompressed},
		{"both options", new(Compress), frame, compressBits, reasonNotCompressed},
		{"the other option", new(Compress), frame, message.S2, reasonNotCompressed},
		{"the other option, s2", new(Compress), block, message.Zstd, reasonNotCompressed},
		{"cut off", new(Compress), frame[:len(frame)-1], message.Zstd, reasonNotCompressed},
		{"cut off, s2", new(Compress), block[:len(block)-1], message.S2, reasonNotCompressed},
		{"a byte behind", new(Compress), append(bytes.Clone(frame), 0), message.Zstd, reasonNotCompressed},
		{"a byte behind, s2", new(Compress), append(bytes.Clone(block), 0), message.S2, reasonNotCompressed},
		{"two frames", new(Compress), append(bytes.Clone(frame), frame...), message.Zstd, reasonNotCompressed},
		{"several segments", new(Compress), zstdFrame(t, text, zstd.WithSingleSegment(false)), message.Zstd, reasonNotCompressed},
		{"a frame to skip", new(Compress), []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"), message.Zstd, reasonNotCompressed},
		{"a dictionary", new(Compress), []byte("\x28\xb5\x2f\xfd\x21\x01\x00\x01\x00\x00"), message.Zstd, reasonNotCompressed},
		{"a claim of 16 exabytes", new(Compress), []byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"), message.Zstd, reasonTooFar},
		{"it claims less, s2", new(Compress), claims(4999), message.S2, reasonNotCompressed},
		{"it claims more, s2", new(Compress), claims(5001), message.S2, reasonNotCompressed},
		{"it claims much, s2", new(Compress), claims(1<<32 - 1), message.S2, reasonTooFar},
		{"longer than allowed", &Compress{MaxSize: len(text) - 1}, frame, message.Zstd, reasonTooFar},
		{"longer than allowed, s2", &Compress{MaxSize: len(text) - 1}, block, message.S2, reasonTooFar},
		{"a ratio of thousands, and long", new(Compress), zstdFrame(t, bomb, single), message.Zstd, reasonTooFar},
		{"a ratio of thousands, and long, s2", new(Compress), s2.EncodeBest(nil, bomb), message.S2, reasonTooFar},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := new(recorder)
			h := knownTo(t, tt.layer, rec.config())
			err := h.Arrive(interceptortest.Member(2), tt.payload, message.ByteMessage|tt.options)
			if got := h.Top.Received(); err == nil || len(got) != 0 {
				t.Errorf("Receive = %v and %d messages delivered, want an error and none", err, len(got))
			}
			if d := cmp.Diff([]string{"Compress: " + tt.reason}, rec.drops()); d != "" {
				t.Errorf("dropped by the trace (-want +got):\n%s", d)
			}
			if lines := rec.log(); len(lines) != 1 || !strings.Contains(lines[0], "WARN a message was dropped: "+tt.reason) {
				t.Errorf("log = %q, want one warning", lines)
			}
			if got := tt.layer.Stats().Dropped; got != 1 {
				t.Errorf("Stats().Dropped = %d, want 1", got)
			}
		})
	}
}

// Damage anywhere in a message is an error, or does not matter.
func TestCompressDamagedAnywhere(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 30)
	for _, tt := range []struct {
		option message.Options
		packed []byte
		sum    bool // it has a checksum
	}{
		{message.Zstd, zstdFrame(t, text, zstd.WithSingleSegment(true)), true},
		{message.S2, s2.Encode(nil, text), false},
	} {
		h := knownTo(t, new(Compress), interceptortest.Config{})
		try := func(b []byte) {
			t.Helper()
			h.Top.Reset()
			err := h.Arrive(interceptortest.Member(2), b, tt.option)
			got := h.Top.Received()
			if (err == nil) != (len(got) == 1) || err == nil && tt.sum && !bytes.Equal(got[0].Payload(), text) {
				t.Errorf("Receive of %x = %v with %d delivered, or something else", b, err, len(got))
			}
		}
		for n := range tt.packed {
			try(tt.packed[:n])
		}
		for bit := range 8 * len(tt.packed) {
			b := bytes.Clone(tt.packed)
			b[bit/8] ^= 1 << (bit % 8)
			try(b)
		}
	}
}
