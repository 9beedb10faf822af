package interceptor

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

// Whatever arrives is delivered as the library expands it and within the limit, or
// dropped with an error.
func FuzzCompressReceive(f *testing.F) {
	for _, text := range [][]byte{nil, []byte("some text"), bytes.Repeat([]byte("some text "), 100), make([]byte, 10_000)} {
		f.Add(zstdFrame(f, text, zstd.WithSingleSegment(true), zstd.WithZeroFrames(true)), false)
		f.Add(s2.Encode(nil, text), true)
	}
	f.Add([]byte("\x28\xb5\x2f\xfd\xe0\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"), false)
	f.Add([]byte("\xff\xff\xff\xff\x0f\x00"), true)
	const limit = 1 << 16
	library, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(library.Close)
	c := &Compress{MaxSize: limit}
	h := knownTo(f, c, interceptortest.Config{})
	f.Fuzz(func(t *testing.T, b []byte, isS2 bool) {
		o := message.Zstd
		if isS2 {
			o = message.S2
		}
		h.Top.Reset()
		err := h.Arrive(interceptortest.Member(2), b, o)
		got := h.Top.Received()
		if err != nil {
			if len(got) != 0 {
				t.Errorf("Receive = %v, and it was delivered", err)
			}
			return
		}
		if len(got) != 1 || got[0].Len() > limit || got[0].Options != 0 {
			t.Fatalf("%d messages were delivered, want one of at most %d bytes without options", len(got), limit)
		}
		var want []byte
		if isS2 {
			want, err = s2.Decode(nil, b)
		} else {
			want, err = library.DecodeAll(b, nil)
		}
		if err != nil || !bytes.Equal(got[0].Payload(), want) {
			t.Errorf("delivered is not what the library expands, which says %v", err)
		}
	})
}

// What is compressed comes back as it was.
func TestCompressRoundTrips(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for level := 1; level <= mostCompressLevel; level++ {
		for name, c := range map[string]codec{"zstd": newZstdCodec(level, 1<<20), "s2": newS2Codec(level)} {
			for range 300 {
				b := bytes.Repeat(noise(1+r.IntN(100)), 1+r.IntN(50))
				copy(b, noise(r.IntN(2000)))
				dst := make([]byte, c.room(len(b)))
				packed := dst[:c.compress(dst, b)]
				if n, err := c.claim(packed); n != len(b) || err != nil {
					t.Fatalf("%s-%d: claim = %d, %v, want %d", name, level, n, err, len(b))
				}
				out := make([]byte, len(b))
				if err := c.expand(out, packed); err != nil || !bytes.Equal(out, b) {
					t.Fatalf("%s-%d: %d bytes came back as others, or %v", name, level, len(b), err)
				}
			}
		}
	}
}
