package nio

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/message"
)

// bufferRig feeds an rxBuffer with a stream of records: four bytes of length,
// then so many bytes in all.
type bufferRig struct {
	t      *testing.T
	pool   message.Pool
	ledger rxLedger
	passed rxPassed
	x      rxBuffer
	kept   []*message.Buffer // what messages would hold
	got    []byte
}

func newBufferRig(t *testing.T, b *rxBudget) *bufferRig {
	g := &bufferRig{t: t}
	g.ledger = rxLedger{budget: b, resume: func() {}}
	g.passed.ledger = &g.ledger
	g.x = rxBuffer{pool: &g.pool, ledger: &g.ledger, passed: &g.passed, size: rxSmall}
	return g
}

// record makes a record of that size.
func record(size int) []byte {
	b := bytes.Repeat([]byte{byte(size)}, size)
	b[0], b[1], b[2], b[3] = byte(size>>24), byte(size>>16), byte(size>>8), byte(size)
	return b
}

// feed reads up to n bytes of stream at a time until it is used up. Records
// are kept as messages keep them if keep is set.
func (g *bufferRig) feed(stream []byte, n int, keep bool) {
	g.t.Helper()
	for len(stream) > 0 {
		room := g.x.room()
		if len(room) == 0 {
			g.t.Fatalf("no room with %d bytes held", g.ledger.held.Load())
		}
		read := copy(room[:min(n, len(room))], stream)
		stream = stream[read:]
		g.x.read(read, len(room))
		g.parse(keep)
		if have, held := g.x.end-g.x.start, len(g.x.chunk.Bytes()); have > 0 && held > max(rxLarge, 4*have, 2*g.x.proven) {
			g.t.Fatalf("a chunk of %d bytes for %d bytes of a record of %d", held, have, g.x.want)
		}
	}
}

func (g *bufferRig) parse(keep bool) {
	for {
		b := g.x.unparsed()
		if len(b) < 4 {
			return
		}
		size := int(b[0])<<24 | int(b[1])<<16 | int(b[2])<<8 | int(b[3])
		if len(b) < size {
			g.x.want = size
			return
		}
		g.got = append(g.got, b[:size]...)
		if keep {
			g.x.chunk.Retain()
			g.kept = append(g.kept, g.x.chunk)
		}
		g.x.parsed(size)
		if !keep {
			g.passed.pass()
		}
	}
}

// close gives everything back and looks at the books.
func (g *bufferRig) close() {
	g.x.close()
	for _, c := range g.kept {
		c.Release()
		g.passed.pass()
	}
	if held := g.ledger.held.Load(); held != 0 {
		g.t.Errorf("%d bytes held at the end, want 0", held)
	}
}

func TestBufferKeepsStream(t *testing.T) {
	sizes := []int{4, 5, 100, rxSmall - 1, rxSmall, rxSmall + 1, 10 << 10, rxMedium, rxMedium + 7, 100 << 10,
		rxLarge - 4, rxLarge, rxLarge + 1, 600 << 10, 1 << 20, 1<<20 + 135, 30, 700 << 10, 8, 8, 8}
	var stream []byte
	for _, n := range sizes {
		stream = append(stream, record(n)...)
	}
	for _, step := range []int{1000, 5001, 64 << 10, 1 << 30} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("step=%d/keep=%v", step, keep), func(t *testing.T) {
				g := newBufferRig(t, &rxBudget{share: int64(unbounded)})
				g.feed(stream, step, keep)
				if !bytes.Equal(g.got, stream) {
					t.Error("what was parsed is not what was fed")
				}
				g.close()
			})
		}
	}
}

// TestBufferTrustsNoLength announces much and brings little.
func TestBufferTrustsNoLength(t *testing.T) {
	g := newBufferRig(t, &rxBudget{share: int64(unbounded)})
	head := record(64 << 20)[:4]
	g.feed(head, 4, false)
	for total := 1004; total < 3<<20; total += 1000 {
		g.feed(make([]byte, 1000), 1000, false)
		if held := g.ledger.held.Load(); held > int64(max(rxLarge, 2*total)) {
			t.Fatalf("%d bytes held after %d bytes of a record", held, total)
		}
	}
	g.close()
}

// TestBufferLearns has the buffer for a large record made at once when one of
// that size has come before.
func TestBufferLearns(t *testing.T) {
	g := newBufferRig(t, &rxBudget{share: int64(unbounded)})
	const size = 1<<20 + 135
	g.feed(record(size), 1<<30, false)
	large := record(size)
	g.feed(large[:5000], 5000, false)
	if got := len(g.x.room()); got != size-5000 {
		t.Errorf("room for %d bytes after 5000 of the second record, want %d", got, size-5000)
	}
	g.feed(large[5000:], 1<<30, false)
	g.close()
}

func TestBufferSizes(t *testing.T) {
	g := newBufferRig(t, &rxBudget{share: int64(unbounded)})
	want := func(size int) {
		t.Helper()
		if g.x.size != size {
			t.Fatalf("the next chunk is of %d bytes, want %d", g.x.size, size)
		}
	}
	small := bytes.Repeat(record(16), 1<<16)
	want(rxSmall)
	g.feed(small[:rxSmall], rxSmall, false)
	want(rxMedium)
	g.feed(small[:rxMedium], rxMedium, false)
	want(rxLarge)
	g.feed(small[:rxLarge], rxLarge, false)
	want(rxLarge)
	for range quietReads {
		g.feed(record(16), 16, false)
	}
	want(rxMedium)
	for range 2 * quietReads {
		g.feed(record(16), 16, false)
	}
	want(rxSmall)
	g.feed(small[:rxSmall], rxSmall, false)
	g.x.shrink()
	want(rxSmall)
	if g.x.chunk != nil || g.ledger.held.Load() != 0 {
		t.Errorf("a silent buffer holds %d bytes, want none", g.ledger.held.Load())
	}
	g.close()
}

// TestBufferShortOfMemory has no common memory left: small records go on in the
// share, a large one waits.
func TestBufferShortOfMemory(t *testing.T) {
	b := &rxBudget{share: 3 * rxSmall, common: 0, reserve: 0}
	g := newBufferRig(t, b)
	stream := bytes.Repeat(record(64), rxLarge/64)
	g.feed(stream, 1<<30, false)
	if !bytes.Equal(g.got, stream) {
		t.Error("what was parsed is not what was fed")
	}
	large := record(rxLarge)
	for len(large) > 0 {
		room := g.x.room()
		if len(room) == 0 {
			break
		}
		n := copy(room, large)
		large = large[n:]
		g.x.read(n, len(room))
		g.parse(false)
	}
	if len(large) == 0 || !g.ledger.waiting || b.waiters.Load() != 1 {
		t.Errorf("a record of %d bytes needed no more than a share of %d", rxLarge, b.share)
	}
	g.ledger.decline()
	g.close()
}

// TestBufferReserve has a frame go on when all common memory is taken by others that wait:
// the reserve is enough for the memory that it grows out of and for what it grows into.
func TestBufferReserve(t *testing.T) {
	for _, frame := range []int{1 << 10, 5000, 130 << 10, 300 << 10, 1 << 20, 3 << 20, 9 << 20, 20 << 20} {
		for _, before := range []int{0, 3, 30, 45, 60, 95} { // % of it that a frame had before
			for _, part := range []int{0, 1, 28, 46, 80} { // % of the frame that come while there is memory
				t.Run(fmt.Sprintf("frame=%d/before=%d/part=%d", frame, before, part), func(t *testing.T) {
					b := newRxBudget(&ReceiverConfig{MaxFrame: frame, Limits: ReceiverLimits{MaxBytes: 4 * frame, MaxConns: 4096}})
					b.share = min(b.share, rxSmall)
					g := newBufferRig(t, b)
					if before > 0 {
						g.feed(record(max(frame*before/100, 4)), 1<<30, false)
					}
					large := record(frame)
					n := max(frame*part/100, 4)
					g.feed(large[:n], 1<<30, false)
					hog := &rxLedger{budget: b, resume: func() {}}
					rest := max(b.common-b.used.Load(), 0) + b.share
					if !hog.take(int(rest)) {
						t.Fatalf("%d bytes were not there", rest)
					}
					g.feed(large[n:], 1<<30, false)
					g.close()
					hog.give(int(rest))
				})
			}
		}
	}
}
