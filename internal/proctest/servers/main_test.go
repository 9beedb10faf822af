package servers

import (
	"os"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

// child is what the program of the tests does when a test has started it for that.
var child func()

func TestMain(m *testing.M) {
	if os.Getenv("SERVERS_CHILD") != "" {
		child()
	}
	leak.Main(m)
}
