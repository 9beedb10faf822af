package leak

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and exits. It fails the run if a goroutine
// is left after the last test, or if one of the checks returns an error.
//
//	func TestMain(m *testing.M) { leak.Main(m, message.CheckLive) }
func Main(m *testing.M, checks ...func() error) {
	code := m.Run()
	if code == 0 {
		code = verify(checks)
	}
	os.Exit(code)
}

func verify(checks []func() error) int {
	code := 0
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left:", err)
		code = 1
	}
	for _, check := range checks {
		if err := check(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}
