package interop

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
)

// Sizes of the mix: of each thousand messages one has 5 MiB, nine have up to 1 MiB and the others up to 16 KiB.
// In every series the first of each fifty is empty.
const (
	emptyEvery = 50
	largeEvery = 100
	hugeEvery  = 1000

	smallSize = 16 << 10
	largeSize = 1 << 20
	hugeSize  = 5 << 20
)

// Odd constants that spread neighbouring seeds and indexes over the 64 bits a message's generator starts from.
const (
	seedFactor  = 0x9E3779B97F4A7C15
	indexFactor = 0xBF58476D1CE4E5B9
)

// profile says how long the messages of a series are: mix, or any other value for up to that many bytes.
type profile int

// mix is the profile of the great exchange: 10 000 messages are 9 900 small, 90 large and 10 huge ones, some empty.
const mix profile = -1

// String is the profile as the sendbulk command of a Java node takes it.
func (p profile) String() string {
	if p == mix {
		return "mix"
	}
	return strconv.Itoa(int(p))
}

// series is a sequence of messages that Go and Java make alike from a few numbers, so that one side can send it and
// the other knows what must arrive. Each message depends on seed, profile and index only, and can be made alone.
//
// The generator is xorshift64 with the shifts 13, 7, 17. Message i starts from
//
//	x = seed·0x9E3779B97F4A7C15 + (i+1)·0xBF58476D1CE4E5B9   (mod 2⁶⁴; 1 if that is 0)
//
// The first output, shifted right by one and taken modulo (limit+1), is the length. The following ones are the
// content, eight bytes each, big endian; the last is cut to fit. Class Series in java/EchoPeer.java is the twin.
type series struct {
	seed    uint64
	profile profile
}

// message makes message i; the caller owns the bytes.
func (s series) message(i int) []byte {
	x := s.seed*seedFactor + uint64(i+1)*indexFactor
	if x == 0 {
		x = 1
	}
	x = xorshift(x)
	n := s.length(i, x>>1)
	b := make([]byte, 0, (n+7)&^7)
	for len(b) < n {
		x = xorshift(x)
		b = binary.BigEndian.AppendUint64(b, x)
	}
	return b[:n]
}

// length is the number of bytes of message i, chosen by the random number r where there is a choice.
func (s series) length(i int, r uint64) int {
	limit := smallSize
	switch {
	case i%emptyEvery == 0:
		return 0
	case s.profile != mix:
		limit = int(s.profile)
	case i%hugeEvery == hugeEvery-1:
		return hugeSize
	case i%largeEvery == largeEvery-1:
		limit = largeSize
	}
	return int(r % uint64(limit+1))
}

// digest is the SHA-256 over the hashes of the first count messages in order: the whole series in one word, as a
// Java node reports it for what it sent and for what it received.
func (s series) digest(count int) string {
	all := sha256.New()
	for i := range count {
		h := sha256.Sum256(s.message(i))
		all.Write(h[:])
	}
	return fmt.Sprintf("%x", all.Sum(nil))
}

// xorshift is one step of the generator, which is also its output.
func xorshift(x uint64) uint64 {
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}
