//go:build faults && !linux

package faults

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(*testing.M) {
	fmt.Fprintln(os.Stderr, "faults: the network needs Linux")
	os.Exit(1)
}
