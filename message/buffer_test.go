package message

import (
	"sync"
	"testing"
)

func mustPanic(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s did not panic", what)
		}
	}()
	f()
}

func TestPoolSizes(t *testing.T) {
	tests := []struct{ size, room int }{
		{0, 512}, {1, 512}, {511, 512}, {512, 512}, {513, 1024}, {1024, 1024}, {4096, 4096}, {4097, 8192},
		{33 << 10, 64 << 10}, {MaxPooled - 1, MaxPooled}, {MaxPooled, MaxPooled}, {MaxPooled + 1, MaxPooled + 1}, {3 << 20, 4 << 20}, {9 << 20, 9 << 20},
	}
	var p Pool
	for _, tt := range tests {
		b := p.Get(tt.size)
		if len(b.Bytes()) != tt.size || cap(b.Bytes()) != tt.room || b.Shared() {
			t.Errorf("Get(%d) has %d bytes and room for %d, want %d", tt.size, len(b.Bytes()), cap(b.Bytes()), tt.room)
		}
		b.Release()
		again := p.Get(tt.size)
		if len(again.Bytes()) != tt.size || cap(again.Bytes()) != tt.room {
			t.Errorf("the second Get(%d) has %d bytes and room for %d, want %d", tt.size, len(again.Bytes()), cap(again.Bytes()), tt.room)
		}
		again.Release()
	}
}

func TestBufferCounts(t *testing.T) {
	var p Pool
	b := p.Get(10)
	b.Retain()
	if !b.Shared() {
		t.Error("Shared() with two references = false")
	}
	b.Release()
	if b.Shared() {
		t.Error("Shared() with one reference = true")
	}
	b.Release()
	mustPanic(t, "a Release too many", b.Release)
	mustPanic(t, "Retain after the last Release", b.Retain)
}

// Two holders must never have the same memory.
func TestPoolConcurrentUse(t *testing.T) {
	var p Pool
	var wg sync.WaitGroup
	for n := range byte(4) {
		wg.Go(func() { // ends by itself
			for i := range 500 {
				b := p.Get(600 + i)
				for j := range b.Bytes() {
					b.Bytes()[j] = n
				}
				b.Retain()
				b.Release()
				for _, x := range b.Bytes() {
					if x != n {
						t.Errorf("memory of %d has %d", n, x)
						break
					}
				}
				b.Release()
			}
		})
	}
	wg.Wait()
}

func TestCheckLive(t *testing.T) {
	var p Pool
	m := p.New(10)
	if err := CheckLive(); (err != nil) != debug {
		t.Errorf("CheckLive() with a live message = %v in a build with debug = %v", err, debug)
	}
	m.Release()
	if err := CheckLive(); err != nil {
		t.Errorf("CheckLive() when all is released = %v, want nil", err)
	}
}

// Whoever reads what was released must see nonsense and not what others write.
func TestReleasedMemoryIsPoisoned(t *testing.T) {
	var p Pool
	b := p.Get(4)
	kept := b.Bytes()[:cap(b.Bytes())]
	copy(kept, "keep")
	b.Release()
	want := "keep"
	if debug {
		want = "\xdb\xdb\xdb\xdb"
	}
	if got := string(kept[:4]); got != want {
		t.Errorf("released memory = %q, want %q in a build with debug = %v", got, want, debug)
	}
	if debug && kept[len(kept)-1] != 0xdb {
		t.Error("the room behind was not poisoned")
	}
}
