package javaser

import "math"

// MaxDepth is the deepest nesting that can be asked for in Limits, and the
// deepest that the encoding functions write. Both sides recurse, so there
// must be an end even for those who want none.
const MaxDepth = 10000

// The limits that hold where Limits has a zero.
const (
	DefaultDepth   = 128
	DefaultValues  = 1 << 20
	DefaultHandles = 1 << 20
	DefaultBytes   = 64 << 20
	DefaultFactor  = 24
)

// freeMemory is what a tree may take beside Limits.Factor: small streams have large ones,
// since what they begin with is described in full.
const freeMemory = 1 << 20

// Limits bounds what a decoding function accepts. The zero value is a good
// default for bytes from a peer. In each field zero means the default and a
// negative number means no limit (for Depth: MaxDepth).
//
// Memory: besides the input itself, a tree takes at most about 200 bytes for
// each counted value, and at most Factor times the length of the input and
// 1 MiB. Without a limit on both it is only bounded by Depth times the length
// of the input, so switch them off for trusted bytes only.
type Limits struct {
	// Depth is how deep objects, arrays, class descriptions and the super
	// classes of a class may be nested in each other. The innermost null,
	// string or reference is a level too.
	Depth int
	// Values is how many values may be read. Everything that takes memory
	// of its own counts: objects and each level of their class chain, class
	// descriptions and their fields, field values, elements of object
	// arrays, strings, blocks, nulls and references. An array of primitives
	// counts as one value, whatever its length.
	Values int
	// Handles is how many things that can be referred to may be read.
	Handles int
	// Bytes is how long the input may be.
	Bytes int
	// Factor is how many bytes of memory the tree may take for each byte of
	// the input. What Java writes of lists of small objects takes 22, maps of
	// Tribes take 8; a few bytes can say a thousand times their length.
	Factor int
}

// resolve replaces defaults and "no limit" by numbers to compare with.
func (l Limits) resolve() Limits {
	return Limits{
		Depth:   min(pick(l.Depth, DefaultDepth), MaxDepth),
		Values:  pick(l.Values, DefaultValues),
		Handles: min(pick(l.Handles, DefaultHandles), math.MaxInt32-baseHandle),
		Bytes:   pick(l.Bytes, DefaultBytes),
		Factor:  pick(l.Factor, DefaultFactor),
	}
}

func pick(n, def int) int {
	switch {
	case n == 0:
		return def
	case n < 0:
		return math.MaxInt
	}
	return n
}
