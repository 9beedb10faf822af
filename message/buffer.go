package message

import (
	"sync"
	"sync/atomic"
)

// Buffer is counted memory. It begins with one reference, that of whoever got
// it from the [Pool]; each Retain must be met by a Release, and with the last
// Release the bytes go back to the pool: nobody may touch them any more. A
// Release too many panics.
type Buffer struct {
	b    []byte
	refs atomic.Int32
	home *sync.Pool // nil for a size that is not kept
}

// Bytes returns all bytes of the buffer.
func (b *Buffer) Bytes() []byte { return b.b }

// Retain adds a reference.
func (b *Buffer) Retain() { b.refs.Add(1) }

// Release drops a reference.
func (b *Buffer) Release() {
	switch n := b.refs.Add(-1); {
	case n < 0:
		panic("tribes: message: buffer released twice")
	case n == 0:
		liveBuffers.add(-1)
		poison(b.b[:cap(b.b)])
		if b.home != nil {
			b.home.Put(b)
		}
	}
}

// Shared reports whether there is more than one reference.
func (b *Buffer) Shared() bool { return b.refs.Load() > 1 }

// The pool keeps buffers of five sizes; larger ones are made and left to the
// garbage collector.
var classes = [...]int{512, 4 << 10, 32 << 10, 256 << 10, MaxPooled}

// MaxPooled is the largest buffer, in bytes, that a [Pool] keeps.
const MaxPooled = 1 << 20

// Pool keeps buffers and messages for reuse. Each channel has its own. The zero
// Pool is ready; a Pool is safe for concurrent use and must not be copied.
type Pool struct {
	buffers  [len(classes)]sync.Pool
	messages sync.Pool
}

// Get returns a buffer of size bytes with one reference. Its content is
// arbitrary.
func (p *Pool) Get(size int) *Buffer {
	liveBuffers.add(1)
	b := p.get(size)
	b.refs.Store(1)
	return b
}

func (p *Pool) get(size int) *Buffer {
	for i, c := range classes {
		if size > c {
			continue
		}
		home := &p.buffers[i]
		if b, ok := home.Get().(*Buffer); ok {
			b.b = b.b[:size]
			return b
		}
		return &Buffer{b: make([]byte, size, c), home: home}
	}
	return &Buffer{b: make([]byte, size)}
}
