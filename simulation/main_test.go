package simulation

import (
	"testing"

	"github.com/gotribes/tribes/internal/leak"
	"github.com/gotribes/tribes/message"
)

func TestMain(m *testing.M) { leak.Main(m, message.CheckLive) }
