package filestore

import (
	"os"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) {
	if task := os.Getenv("TRIBES_FILESTORE_CHILD"); task != "" {
		child(task)
		return
	}
	leak.Main(m)
}
