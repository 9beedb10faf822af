package entry

import (
	"hash/crc32"

	"github.com/gotribes/tribes/internal/bytediff"
)

// checksums are the two CRC-32 of a value, of Castagnoli and of IEEE. They are linear, so those
// of a value that is changed in place follow from what is changed.
type checksums struct{ castagnoli, ieee uint32 }

func checksumsOf(v []byte) checksums {
	return checksums{crc32.Checksum(v, castagnoli.table), crc32.ChecksumIEEE(v)}
}

// edited returns the checksums of a value after edits in place; c are those of before.
func (c checksums) edited(value []byte, edits []bytediff.Edit) checksums {
	for _, x := range edits {
		old, after := value[x.At:x.At+len(x.New)], len(value)-x.At-len(x.New)
		c.castagnoli ^= castagnoli.shift(castagnoli.raw(old)^castagnoli.raw(x.New), after)
		c.ieee ^= ieee.shift(ieee.raw(old)^ieee.raw(x.New), after)
	}
	return c
}

// polynomial is one of a CRC-32, with its powers: the lowest coefficient is the top bit.
type polynomial struct {
	table  *crc32.Table
	bits   uint32
	powers [40]uint32 // x to the power of 1<<i, modulo the polynomial
}

var (
	castagnoli = newPolynomial(crc32.Castagnoli)
	ieee       = newPolynomial(crc32.IEEE)
)

func newPolynomial(bits uint32) *polynomial {
	p := &polynomial{table: crc32.MakeTable(bits), bits: bits}
	p.powers[0] = 1 << 30
	for i := 1; i < len(p.powers); i++ {
		p.powers[i] = p.times(p.powers[i-1], p.powers[i-1])
	}
	return p
}

// raw is the remainder of the bytes alone, without the ones that a CRC-32 begins and ends with.
func (p *polynomial) raw(b []byte) uint32 { return ^crc32.Update(^uint32(0), p.table, b) }

// shift returns a remainder as it is when n bytes of zero follow.
func (p *polynomial) shift(r uint32, n int) uint32 {
	for i, bits := 0, uint64(n)*8; bits > 0 && r != 0; i, bits = i+1, bits>>1 {
		if bits&1 == 1 {
			r = p.times(r, p.powers[i])
		}
	}
	return r
}

// times multiplies modulo the polynomial.
func (p *polynomial) times(a, b uint32) (product uint32) {
	for ; a != 0; a <<= 1 {
		if a>>31 == 1 {
			product ^= b
		}
		b = b>>1 ^ p.bits*(b&1)
	}
	return product
}
