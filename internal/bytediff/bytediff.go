package bytediff

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// ErrFormat is the error of a difference that is damaged, or that does not
// belong to the old value or to the size it is applied with.
var ErrFormat = errors.New("tribes: not a difference to this value")

const (
	word     = 8   // bytes compared at once; every word-th place of the old value is known
	minMatch = 16  // a run this long contains a whole word at a known place
	stride   = 6   // after 1<<stride bytes without a match, steps grow by one
	slack    = 64  // bytes by which a match that is found late may reach back
	mostNew  = 4   // aligned gives up when more than 1/(1<<mostNew) of the value is new
	block    = 256 // bytes compared by an instruction of its own, where all of them may be equal
)

// Append appends the difference that makes value out of old to dst. It gives up
// and returns dst and false as soon as the difference would have more than limit
// bytes. It borrows old and value.
func Append(dst, old, value []byte, limit int) ([]byte, bool) {
	w := writer{out: dst, start: len(dst), limit: limit}
	head := commonPrefix(old, value)
	tail := commonSuffix(old[head:], value[head:])
	w.copyOf(0, head)
	if !w.aligned(old, value, head, tail) {
		w.middle(old, value, head, tail)
	}
	w.copyOf(len(old)-tail, tail)
	if w.failed {
		return dst, false
	}
	return w.out, true
}

// Apply makes the value of size bytes that diff describes, out of old. It borrows
// both; the result is new memory. The steps are checked, and their sum compared
// with size, before memory is taken: the caller bounds size.
func Apply(old, diff []byte, size int) ([]byte, error) {
	if size < 0 || !valid(len(old), diff, size) {
		return nil, ErrFormat
	}
	// Most of it is where it was, and memory for a copy is not zeroed before.
	value, same := append([]byte{}, old[:min(size, len(old))]...), true
	if cap(value) < size {
		value, same = make([]byte, size), false
	}
	value = value[:size]
	for at := 0; len(diff) > 0; {
		n, rest := step(diff)
		if n&1 == 0 {
			at += copy(value[at:], rest[:n>>1])
			diff = rest[n>>1:]
			continue
		}
		from, used := binary.Uvarint(rest)
		if !same || from != uint64(at) {
			copy(value[at:], old[from:from+n>>1])
		}
		at += int(n >> 1)
		diff = rest[used:]
	}
	return value, nil
}

// valid reports whether the steps of diff stay within old and itself and give
// size bytes.
func valid(old int, diff []byte, size int) bool {
	left := uint64(size)
	for len(diff) > 0 {
		n, rest := step(diff)
		if n>>1 == 0 || n>>1 > left {
			return false
		}
		left -= n >> 1
		if n&1 == 0 {
			if n>>1 > uint64(len(rest)) {
				return false
			}
			diff = rest[n>>1:]
			continue
		}
		at, used := binary.Uvarint(rest)
		if used <= 0 || at > uint64(old) || n>>1 > uint64(old)-at {
			return false
		}
		diff = rest[used:]
	}
	return left == 0
}

// step takes the head of a step; 0 means that there is none.
func step(diff []byte) (uint64, []byte) {
	n, used := binary.Uvarint(diff)
	if used <= 0 {
		return 0, nil
	}
	return n, diff[used:]
}

// writer collects steps up to a limit.
type writer struct {
	out    []byte
	start  int
	limit  int
	failed bool
}

func (w *writer) copyOf(at, n int) {
	if n == 0 || w.failed {
		return
	}
	w.out = binary.AppendUvarint(w.out, uint64(n)<<1|1)
	w.out = binary.AppendUvarint(w.out, uint64(at))
	w.check()
}

func (w *writer) insert(p []byte) {
	if len(p) == 0 || w.failed {
		return
	}
	if len(p) > w.limit-(len(w.out)-w.start) {
		w.failed = true
		return
	}
	w.out = binary.AppendUvarint(w.out, uint64(len(p))<<1)
	w.out = append(w.out, p...)
	w.check()
}

func (w *writer) check() { w.failed = w.failed || len(w.out)-w.start > w.limit }

// aligned is middle for values that have changed in place: it looks for what is there only
// where it was, as seen from the beginning and from the end. That needs no index. It writes
// nothing and returns false as soon as too much is new.
func (w *writer) aligned(old, value []byte, head, tail int) bool {
	before := *w
	end, shift := len(value)-tail, len(old)-len(value)
	most := len(value)>>mostNew + slack
	from, i := head, head // value[from:i] is not written yet
	for i+word <= end && !w.failed {
		n, at := 0, i
		for _, x := range [...]int{i, i + shift} {
			if x < head || x+word > len(old)-tail || !sameWord(old[x:], value[i:]) {
				continue
			}
			if n, at = commonPrefix(old[x:len(old)-tail], value[i:end]), x; n >= minMatch {
				break
			}
		}
		if n < minMatch {
			if i++; i-from > most {
				*w = before
				return false
			}
			continue
		}
		most -= i - from
		w.insert(value[from:i])
		w.copyOf(at, n)
		i += n
		from = i
	}
	w.insert(value[from:end])
	if w.failed || end-from > most {
		*w = before
		return false
	}
	return true
}

func sameWord(a, b []byte) bool {
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b)
}

// middle writes what is between the common head and tail of the values.
func (w *writer) middle(old, value []byte, head, tail int) {
	end := len(value) - tail
	places := indexOf(old[:len(old)-tail], head)
	from, i := head, head // value[from:i] is not written yet
	for places.known() && i+word <= end && !w.failed {
		at, found := places.find(old, value[i:])
		if !found {
			// The longer nothing is found, the larger the steps, until what would have
			// to be inserted is too much: a value that has nothing in common costs little.
			i += 1 + (i-from)>>stride
			w.failed = i-from-slack > w.limit-(len(w.out)-w.start)
			continue
		}
		back := commonSuffix(old[:at], value[from:i])
		n := back + word + commonPrefix(old[at+word:], value[i+word:end])
		if n < minMatch {
			i++
			continue
		}
		w.insert(value[from : i-back])
		w.copyOf(at-back, n)
		i += n - back
		from = i
	}
	w.insert(value[from:end])
}

// index finds words of the old value: for each hash one place, plus one.
type index struct {
	table []uint32
	shift int
}

// indexOf knows every word-th place of old from a place on.
func indexOf(old []byte, from int) index {
	words := (len(old) - from) / word
	if words == 0 || len(old) > math.MaxInt32 {
		return index{}
	}
	size := bits.Len(uint(words))
	x := index{table: make([]uint32, 1<<size), shift: 64 - size}
	for at := from; at+word <= len(old); at += word {
		x.table[x.hash(old[at:])] = uint32(at + 1)
	}
	return x
}

func (x index) known() bool { return x.table != nil }

func (x index) hash(p []byte) uint64 {
	return binary.LittleEndian.Uint64(p) * 0x9e3779b97f4a7c15 >> x.shift
}

// find returns a place of old that begins with the same word as p.
func (x index) find(old, p []byte) (int, bool) {
	at := int(x.table[x.hash(p)]) - 1
	if at < 0 {
		return 0, false
	}
	return at, binary.LittleEndian.Uint64(old[at:]) == binary.LittleEndian.Uint64(p)
}

func commonPrefix(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for i+block <= n && bytes.Equal(a[i:i+block], b[i:i+block]) {
		i += block
	}
	for ; i+word <= n; i += word {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

func commonSuffix(a, b []byte) int {
	n, i := min(len(a), len(b)), 0
	for i+block <= n && bytes.Equal(a[len(a)-i-block:len(a)-i], b[len(b)-i-block:len(b)-i]) {
		i += block
	}
	for ; i+word <= n; i += word {
		x := binary.LittleEndian.Uint64(a[len(a)-i-word:]) ^ binary.LittleEndian.Uint64(b[len(b)-i-word:])
		if x != 0 {
			return i + bits.LeadingZeros64(x)/8
		}
	}
	for i < n && a[len(a)-1-i] == b[len(b)-1-i] {
		i++
	}
	return i
}

// Edit is a place of a value at which there are other bytes.
type Edit struct {
	At  int
	New []byte // of the difference
}

// Edits returns what a difference changes in a value of size bytes, if it makes one of as many
// bytes and moves none of them: then the bytes that are not new are where they were.
func Edits(diff []byte, size int) ([]Edit, bool) {
	if !valid(size, diff, size) {
		return nil, false
	}
	var all []Edit
	for at := 0; len(diff) > 0; {
		n, rest := step(diff)
		if n&1 == 0 {
			all = append(all, Edit{At: at, New: rest[:n>>1]})
			diff = rest[n>>1:]
		} else {
			from, used := binary.Uvarint(rest)
			if from != uint64(at) {
				return nil, false
			}
			diff = rest[used:]
		}
		at += int(n >> 1)
	}
	return all, true
}
