package message

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Buffer is counted memory. It begins with one reference, that of whoever got
// it from the [Pool]; each Retain must be met by a Release, and with the last
// Release the bytes go back to the pool: nobody may touch them any more. A
// Release too many panics.
//
// The counting is safe for concurrent use; who writes the bytes sees to it that
// nobody else reads them.
type Buffer struct {
	b    []byte
	refs atomic.Int32
	home *sync.Pool // nil for a size that is not kept
}

// Bytes returns all bytes of the buffer.
func (b *Buffer) Bytes() []byte { return b.b }

// Retain adds a reference. Only who has one may add one; after the last Release
// it panics.
func (b *Buffer) Retain() {
	if b.refs.Add(1) <= 1 {
		panic("tribes: message: buffer retained after its release")
	}
}

// Release drops a reference. With the last one the bytes go back to the pool, and
// a Release too many panics.
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

// The pool keeps buffers of the powers of two from 512 bytes to MaxPooled, so
// that none takes more than twice the memory that was asked for. Larger ones are
// made as asked and left to the garbage collector: for messages of a megabyte and
// their frames that would be three times as slow.
const (
	leastClass = 9 // 1<<9 bytes
	numClasses = 15
)

// MaxPooled is the largest buffer, in bytes, that a [Pool] keeps.
const MaxPooled = 1 << (leastClass + numClasses - 1)

// Pool keeps buffers and messages for reuse. Each channel has its own. The zero
// Pool is ready; a Pool is safe for concurrent use and must not be copied.
type Pool struct {
	buffers  [numClasses]sync.Pool
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
	if size > MaxPooled {
		return &Buffer{b: make([]byte, size)}
	}
	class := max(bits.Len(uint(max(size, 1)-1)), leastClass)
	home := &p.buffers[class-leastClass]
	if b, ok := home.Get().(*Buffer); ok {
		b.b = b.b[:size]
		return b
	}
	return &Buffer{b: make([]byte, size, 1<<class), home: home}
}
