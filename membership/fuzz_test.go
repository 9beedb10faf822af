package membership

import (
	"testing"

	"github.com/gotribes/tribes/internal/golden"
)

func FuzzDecodeMember(f *testing.F) {
	for _, v := range golden.Read[vector](f, "members.json") {
		f.Add([]byte(v.Hex))
	}
	for _, v := range golden.Read[vector](f, "mcast.json") {
		f.Add([]byte(v.Hex))
	}
	f.Fuzz(checkDecode)
}
