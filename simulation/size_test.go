package simulation

import (
	"os"
	"testing"
)

// size chooses how much is simulated: with -short and with the race detector, usually, or
// everything, which TRIBES_SIMULATION=full asks for.
func size[T any](short, usual, full T) T {
	switch {
	case os.Getenv("TRIBES_SIMULATION") == "full":
		return full
	case testing.Short(), raced:
		return short
	}
	return usual
}
