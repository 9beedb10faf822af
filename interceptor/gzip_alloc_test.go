//go:build !race

package interceptor

import (
	"runtime"
	"testing"

	"github.com/gotribes/tribes/message"
)

// A bomb must cost no more memory than a message of the greatest length that is
// allowed, and a lie about the length nothing.
func TestGzipMemoryIsBounded(t *testing.T) {
	const limit = 8 << 20
	bomb := members(t, make([]byte, 4*limit))
	lie := append(members(t, noise(1000)), 0, 0, 0, 0x40)
	tests := []struct {
		name  string
		bytes []byte
		most  uint64
	}{
		{"bomb", bomb, 2 * limit}, // in all, for the first tries too
		{"lie", lie, 128 << 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var pool message.Pool
			c := new(inflater)
			if _, _, err := c.inflate(&pool, tt.bytes, limit); err == nil {
				t.Error("inflate = nil, want an error")
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, _, err := c.inflate(&pool, tt.bytes, limit); err == nil {
				t.Error("inflate = nil, want an error")
			}
			runtime.ReadMemStats(&after)
			if got := after.TotalAlloc - before.TotalAlloc; got > tt.most {
				t.Errorf("inflate took %d bytes, want at most %d", got, tt.most)
			}
		})
	}
}
