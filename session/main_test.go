package session

import (
	"fmt"
	"os"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Fprintln(os.Stderr, childOf(dir))
		os.Exit(1)
	}
	leak.Main(m)
}
