package sqltest

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// cleanups are run after the last test.
var cleanups []func()

// children are what the program of the tests does in place of them when a test has started
// it for that.
var children = make(map[string]func())

func TestMain(m *testing.M) {
	if child := children[os.Getenv("TRIBES_SQLTEST_CHILD")]; child != nil {
		child()
		os.Exit(1)
	}
	code := m.Run()
	for _, f := range cleanups {
		f()
	}
	if code == 0 {
		if err := goleak.Find(); err != nil {
			_, _ = os.Stderr.WriteString("goroutines left: " + err.Error() + "\n")
			code = 1
		}
	}
	os.Exit(code)
}
