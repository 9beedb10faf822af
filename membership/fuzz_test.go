package membership

import "testing"

func FuzzDecodeMember(f *testing.F) {
	for _, v := range readVectors(f, "members.json") {
		f.Add([]byte(v.Hex))
	}
	for _, v := range readVectors(f, "mcast.json") {
		f.Add([]byte(v.Hex))
	}
	f.Fuzz(checkDecode)
}
