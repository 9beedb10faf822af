package interceptor

import (
	"bytes"
	"testing"
	"time"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// Whatever parts come, in whatever order: a message that is delivered is made of
// parts that came, and what is kept is bounded and gone at last. Each record of the
// input is a part: a byte for the sender and the message, its index, its count, and
// the length of its content.
func FuzzFragmentationReceive(f *testing.F) {
	f.Add([]byte{0, 0, 2, 16, 0, 1, 2, 9})
	f.Add([]byte{0, 1, 2, 9, 0, 0, 2, 16, 1, 0, 1, 3})
	f.Add([]byte{0, 0, 200, 16, 0, 199, 200, 16, 0, 0, 3, 16, 5, 0, 0, 0})
	f.Add([]byte{0, 2, 3, 1, 0, 0, 3, 20, 0, 0, 3, 20, 0, 1, 3, 20})
	f.Add(bytes.Repeat([]byte{7, 1, 255, 255}, 40))
	f.Fuzz(func(t *testing.T, b []byte) {
		bubble.Test(t, func(t *testing.T) {
			const limit = 40_000
			layer := &Fragmentation{MaxSize: 8, MinSize: 8, MaxSenderBytes: limit / 2, MaxBytes: limit, MaxMessages: 3}
			h := newFragmentation(t, layer, interceptortest.Config{})
			given := 0
			for ; len(b) >= 4; b = b[4:] {
				id := message.ID{0: b[0] & 3}
				content := bytes.Repeat([]byte{b[1]}, int(b[3]))
				from := interceptortest.Member(2 + int(b[0]>>7))
				err := (arrival{from, id, fragment(content, int(int8(b[1])), int(b[2])), message.ByteMessage}).at(h)
				if err == nil {
					given += len(content)
				}
				if st := layer.Stats(); st.HeldBytes > limit {
					t.Fatalf("Stats() = %+v, want at most %d bytes kept", st, limit)
				}
			}
			for _, m := range h.Top.Received() {
				if given -= m.Len(); given < 0 {
					t.Fatal("more bytes were delivered than came")
				}
				checkFragmented(t, m.Payload())
			}
			time.Sleep(2 * time.Minute)
			if st := layer.Stats(); st.HeldBytes != 0 || st.Gathering != 0 {
				t.Errorf("Stats() = %+v after a long time, want nothing kept", st)
			}
		})
	})
}

// checkFragmented looks whether b is made of runs of the values 0, 1, 2, ... of one
// length, but for the last.
func checkFragmented(t *testing.T, b []byte) {
	t.Helper()
	size := bytes.IndexFunc(b, func(r rune) bool { return r != 0 })
	if size <= 0 {
		return // of one part
	}
	for i := range b {
		if int(b[i]) != i/size {
			t.Fatalf("byte %d is of part %d, want of part %d of %d bytes each", i, b[i], i/size, size)
		}
	}
}
