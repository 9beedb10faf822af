//go:build !race

package interceptor

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// circling returns a function that sends a message through one layer and lets it
// arrive at another.
func circling(tb testing.TB, sender, receiver channel.Interceptor, payload []byte) func() {
	from := interceptortest.New(tb, interceptortest.Config{}, sender)
	from.Start()
	to := interceptortest.New(tb, interceptortest.Config{}, silent{}, receiver)
	to.Start()
	from.Bottom.Use(func(_ context.Context, dest []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Source = peer
		err := to.Deliver(context.Background(), m)
		r.SettleAll(dest, message.Written, nil)
		return err
	})
	dest := interceptortest.Members(2, 2)
	r := message.NewReceipt(0, nil)
	return func() {
		r.Reset(len(dest), nil)
		m := from.Message(payload, message.Sync)
		if err := from.SendMessage(context.Background(), dest, m, r); err != nil {
			tb.Fatal(err)
		}
		m.Release()
		<-r.Done()
	}
}

func TestEncryptAllocatesNothing(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	for _, c := range []Cipher{AESGCM, AESCBC} {
		for _, size := range []int{0, 1000, 50_000} {
			tests := []struct {
				name string
				f    func()
			}{
				{"sends", sending(t, &Encrypt{Key: key, Cipher: c}, interceptortest.Members(2, 9), make([]byte, size))},
				{"both ways", circling(t, &Encrypt{Key: key, Cipher: c}, &Encrypt{Key: key, Cipher: c, WindowMessages: 4096}, make([]byte, size))},
				{"both ways with the second key", circling(t, &Encrypt{Key: key, Cipher: c}, &Encrypt{Key: other, Accept: []Key{key}, Cipher: c, WindowMessages: 4096}, make([]byte, size))},
				{"both ways in the old form", circling(t, &Encrypt{Key: key, Cipher: c, OldForm: true}, &Encrypt{Key: key, Cipher: c, OldForm: true, WindowMessages: 4096}, make([]byte, size))},
			}
			for _, tt := range tests {
				t.Run(fmt.Sprintf("%s, %d bytes, %s", c, size, tt.name), func(t *testing.T) {
					runs := 5000
					if size > 1000 {
						runs = 300
					}
					for range runs {
						tt.f() // fills the pools and the replay window
					}
					if got := testing.AllocsPerRun(runs, tt.f); got != 0 {
						t.Errorf("%v allocations, want 0", got)
					}
				})
			}
		}
	}
}

// The memory of the replay window is that of WindowMessages messages, however many
// come.
func TestReplayMemoryIsBounded(t *testing.T) {
	const limit = 1 << 16
	w := newReplayWindow(10_000, limit, 0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for n := range 10 * limit {
		w.admit(ivOf(n), int64(n/1000), int64(n/1000))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > 8<<20 {
		t.Errorf("%d messages take %d bytes, want at most 8 MiB", w.len(), got)
	} else {
		t.Logf("%d messages take %d bytes", w.len(), got)
	}
}

func BenchmarkEncrypt(b *testing.B) {
	key := testKey(b, 1)
	few := interceptortest.Members(2, 2)
	for _, size := range []int{100, 1000, 10_000} {
		payload := bytes.Repeat([]byte("x"), size)
		for _, bm := range []struct {
			name string
			f    func() func()
		}{
			{"none/send", func() func() { return sending(b, silent{}, few, payload) }},
			{"none/circle", func() func() { return circling(b, silent{}, silent{}, payload) }},
			{"GCM/send", func() func() { return sending(b, &Encrypt{Key: key}, few, payload) }},
			{"GCM/circle", func() func() { return circling(b, &Encrypt{Key: key}, &Encrypt{Key: key}, payload) }},
			{"CBC/send", func() func() { return sending(b, &Encrypt{Key: key, Cipher: AESCBC}, few, payload) }},
			{"CBC/circle", func() func() {
				return circling(b, &Encrypt{Key: key, Cipher: AESCBC}, &Encrypt{Key: key, Cipher: AESCBC}, payload)
			}},
		} {
			b.Run(fmt.Sprintf("%s/%d", bm.name, size), func(b *testing.B) {
				f := bm.f()
				for range 70_000 { // fills the replay window
					f()
				}
				b.ReportAllocs()
				for b.Loop() {
					f()
				}
			})
		}
	}
}

func BenchmarkReplayWindow(b *testing.B) {
	w := newReplayWindow(10_000, 1<<16, 0)
	n := 0
	for b.Loop() {
		n++
		w.admit(ivOf(n), int64(n/500), int64(n/500))
	}
}
