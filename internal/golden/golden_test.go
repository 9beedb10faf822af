package golden

import (
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestRead(t *testing.T) {
	for file, want := range map[string]int{
		"acks.json": 2, "coordinator.json": 4, "frames.json": 9, "interceptors.json": 13,
		"mcast.json": 4, "members.json": 14, "objects.json": 15, "streams.json": 7,
	} {
		names := make(map[string]bool)
		for _, v := range Read[struct{ Name string }](t, file) {
			names[v.Name] = true
		}
		if len(names) != want {
			t.Errorf("%s has %d vectors, want %d", file, len(names), want)
		}
	}
	if v := Read[struct{ Hex Hex }](t, "acks.json"); len(v[0].Hex) == 0 {
		t.Error("an ack without bytes")
	}
}
