package interceptor

import (
	"errors"
	"sync"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// fragmentKey is what the parts of one message have in common. How a frame came is
// part of it: who can send in the clear must not be able to put a part into a message
// that came over TLS, or that was encrypted. The other options are not, since layers below may mark some of
// the parts.
type fragmentKey struct {
	from   membership.Key
	id     string
	secure bool
	seal   message.Seal
}

// gathering is what has come of one message. It has a lock and no clock.
//
// At first each part is kept by itself. When the memory for the whole message is
// no more than a few times what has arrived, it is taken, and the parts go to
// their places in it.
type gathering struct {
	key    fragmentKey
	member *membership.Member // as its first part described it
	msg    message.ID
	count  int
	limit  int // bytes of the whole

	mu      sync.Mutex // guards what follows
	size    int        // bytes of each part but the last; 0 if none was seen
	last    int        // bytes of the last part; 0 if it was not seen
	have    int        // parts
	bytes   int        // in those
	parts   map[int]*message.Message
	whole   *message.Buffer // nil: the parts are kept by themselves
	got     []uint64        // which parts are in whole, a bit for each
	held    int64           // of the allowance, beside what the entry takes
	due     time.Time
	refused bool // there was no room, and no part is kept
	gone    bool // it is not in the map any more
}

const (
	smallWhole  = 64 << 10 // bytes that are taken for a message whatever has arrived of it
	wholeFactor = 4        // how many times what has arrived is taken
)

// Why a part is dropped. The texts are the reasons that the trace is told, too.
var (
	errPartCounts = errors.New("another count of parts than before")
	errPartSizes  = errors.New("another length of parts than before")
	errPartRoom   = errors.New("no room")
)

// length is the length of the whole, as far as it is known at most.
func (g *gathering) length() int {
	last := g.size
	if g.last > 0 {
		last = g.last
	}
	return int(min(total(g.count, g.size, last), int64(g.limit)))
}

// fits looks whether part number i, of n bytes, agrees with the others, and notes
// what it says about their lengths.
func (g *gathering) fits(i, count, n int) error {
	size, last := g.size, g.last
	if i == g.count-1 {
		last = n
	} else {
		size = n
	}
	switch {
	case count != g.count:
		return errPartCounts
	case g.size > 0 && size != g.size, g.last > 0 && last != g.last, size > 0 && last > size:
		return errPartSizes
	case size > 0 && total(count, size, max(last, 1)) > int64(g.limit):
		return errPartClaim
	}
	g.size, g.last = size, last
	return nil
}

// total is the length of a message of so many parts.
func total(count, size, last int) int64 { return int64(count-1)*int64(size) + int64(last) }

// has reports whether part number i is here.
func (g *gathering) has(i int) bool {
	if g.whole != nil {
		return g.got[i/64]&(1<<(i%64)) != 0
	}
	return g.parts[i] != nil
}

// roomy reports whether it is time to take the memory for the whole, when n more
// bytes have come.
func (g *gathering) roomy(n int) bool {
	return g.whole == nil && g.size > 0 && g.length() <= max(smallWhole, wholeFactor*(g.bytes+n))
}

// put keeps part number i, for which there is room.
func (g *gathering) put(i int, m *message.Message) {
	known := g.has(i)
	switch old := g.parts[i]; {
	case g.whole != nil:
		g.place(i, m.Payload())
	case old != nil:
		copy(old.Payload(), m.Payload())
	default:
		if g.parts == nil {
			g.parts = make(map[int]*message.Message)
		}
		g.parts[i] = m.Copy()
	}
	if !known {
		g.have++
		g.bytes += m.Len()
	}
}

func (g *gathering) place(i int, b []byte) {
	copy(g.whole.Bytes()[i*g.size:], b)
	g.got[i/64] |= 1 << (i % 64)
}

// unite takes the memory for the whole and puts the parts in it.
func (g *gathering) unite(pool *message.Pool) {
	g.whole = pool.Get(g.length())
	g.got = make([]uint64, (g.count+63)/64)
	for i, p := range g.parts {
		g.place(i, p.Payload())
		p.Release()
	}
	g.parts = nil
}

// release lets go of all parts.
func (g *gathering) release() {
	for _, p := range g.parts {
		p.Release()
	}
	if g.whole != nil {
		g.whole.Release()
	}
	g.parts, g.whole, g.got = nil, nil, nil
}
