package nio

import (
	"math/bits"

	"github.com/gotribes/tribes/message"
)

// The sizes of the memory that a connection reads into; they are sizes that the
// pool keeps. A connection begins with the smallest and gets a larger one when a
// read fills it.
const (
	rxSmall  = 4 << 10
	rxMedium = 32 << 10
	rxLarge  = 256 << 10

	quietReads = 64 // so many small reads in a row, and the next size is smaller
)

// rxBuffer is the memory that a connection reads into and whose frames are
// parsed in place. It belongs to the goroutine that reads. Messages hold
// references to its chunk; what they hold is never written again.
//
// A frame that does not fit its chunk moves to a larger one: of less than four
// times what has arrived of it, or fit for the last large frame that has come
// whole by this connection. An announced length alone reserves nothing.
type rxBuffer struct {
	pool   *message.Pool
	ledger *rxLedger
	passed *rxPassed

	chunk      *message.Buffer // nil while there is nothing to keep
	start, end int             // what was read and is not parsed
	want       int             // size of the frame at start, 0 if not known yet
	size       int             // of the next chunk
	quiet      int             // small reads in a row
	proven     int             // size of the last frame larger than any chunk
}

// room returns where to read to. It is empty if there is no memory; then the
// ledger resumes the connection when there is.
func (x *rxBuffer) room() []byte {
	if x.chunk == nil {
		return x.fresh()
	}
	have := len(x.chunk.Bytes())
	if x.start == x.end && have == x.size && !x.chunk.Shared() {
		x.start, x.end = 0, 0
	}
	if x.outgrown(have) {
		return x.fresh()
	}
	x.ledger.decline()
	return x.free()
}

// outgrown reports whether a chunk of have bytes is of no more use.
func (x *rxBuffer) outgrown(have int) bool {
	switch {
	case x.want == 0:
		return have-x.end < have/2
	case x.start+x.want <= have:
		return false
	}
	return x.start > 0 || x.end == have || x.proven >= x.want
}

// free is the part of the chunk to read to. A frame that is larger than any
// chunk has one of its own, so that the next one need not be moved out of it.
func (x *rxBuffer) free() []byte {
	b := x.chunk.Bytes()
	if x.want > rxLarge {
		b = b[:min(len(b), x.start+x.want)]
	}
	return b[x.end:]
}

// fresh takes another chunk and moves what is not parsed to it.
func (x *rxBuffer) fresh() []byte {
	have := x.end - x.start
	if x.chunk != nil && have == 0 {
		x.drop() // before it waits for memory that this may be
	}
	n := x.size
	if x.want > n {
		n = min(x.want, x.step(max(n, 2*have, x.proven)))
	} else if have == 0 && x.proven > 0 {
		n = min(n, rxMedium) // the next frame too will need more than a chunk
	}
	if n = x.afford(wholeClass(n), have); n == 0 {
		return nil
	}
	c := x.pool.Get(n)
	if x.chunk != nil {
		copy(c.Bytes(), x.chunk.Bytes()[x.start:x.end])
		x.drop()
	}
	x.chunk, x.start, x.end = c, 0, have
	return x.free()
}

// step is how much of n bytes to take for a part of a frame: no more than half of the frame,
// so that this and then the whole of it are not more than the reserve has (rxBudget).
func (x *rxBuffer) step(n int) int {
	if n < x.want && 2*n > x.want {
		return (x.want + 1) / 2
	}
	return n
}

// afford returns how much of n bytes the ledger grants: all, or less that helps
// too, or none for now.
func (x *rxBuffer) afford(n, have int) int {
	if x.ledger.take(n) {
		return n
	}
	least := rxSmall
	if max(x.want, have+1) > rxSmall {
		least = min(n, wholeClass(max(x.step(2*have), rxSmall)))
	}
	if x.ledger.take(least) || x.ledger.ask(least, have > 0) {
		return least
	}
	return 0
}

// read notes that n bytes were read to a room of size bytes.
func (x *rxBuffer) read(n, size int) {
	x.end += n
	switch {
	case n == size && size >= x.size/2:
		x.size, x.quiet = largerChunk(x.size), 0
	case n >= x.size/8:
		x.quiet = 0
	default:
		if x.quiet++; x.quiet == quietReads {
			x.size, x.quiet = smallerChunk(x.size), 0
		}
	}
}

// unparsed is what was read and is not parsed.
func (x *rxBuffer) unparsed() []byte { return x.chunk.Bytes()[x.start:x.end] }

// parsed notes that a frame of that size was taken off the front.
func (x *rxBuffer) parsed(size int) {
	x.start += size
	x.want = 0
	x.passed.parsed++
	x.ledger.complete()
	if size > rxLarge {
		x.proven = size
	} else if size > rxMedium {
		x.proven = 0
	}
}

// rest gives an empty chunk back, unless there are messages in it and room for
// more.
func (x *rxBuffer) rest() {
	if x.chunk == nil || x.start != x.end {
		return
	}
	if !x.chunk.Shared() || x.outgrown(len(x.chunk.Bytes())) {
		x.drop()
	}
}

// shrink gives back the memory that a silent connection does not need, and
// forgets that it needed large chunks.
func (x *rxBuffer) shrink() {
	x.size, x.quiet, x.proven = rxSmall, 0, 0
	if x.chunk != nil && x.start == x.end {
		x.drop()
	}
}

// close gives everything back.
func (x *rxBuffer) close() {
	if x.chunk != nil {
		x.drop()
	}
}

// drop parts with the chunk. Its bytes count until the last message parsed so
// far is delivered.
func (x *rxBuffer) drop() {
	x.passed.owe(len(x.chunk.Bytes()))
	x.chunk.Release()
	x.chunk, x.start, x.end = nil, 0, 0
}

// wholeClass is the size of the memory that the pool gives for n bytes.
func wholeClass(n int) int {
	if n > message.MaxPooled {
		return n
	}
	return 1 << bits.Len(uint(n-1))
}

func largerChunk(n int) int {
	if n == rxSmall {
		return rxMedium
	}
	return rxLarge
}

func smallerChunk(n int) int {
	if n == rxLarge {
		return rxMedium
	}
	return rxSmall
}
