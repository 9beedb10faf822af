// Package wire has the big-endian helpers that every codec of the module is
// made of: append functions for writing and [Reader] for reading.
//
// A Reader checks each length against what is left before it hands out bytes,
// so a codec built on it cannot run past its input and never needs memory on
// the word of a peer. What goes wrong is a [FormatError] that says which rule
// was broken and at which byte.
//
// # Caveats
//
// What a Reader hands out aliases its input. Lengths on the wire have 32 bits
// and a sign; the append functions do not check that a length fits, their callers
// keep limits far below.
package wire
