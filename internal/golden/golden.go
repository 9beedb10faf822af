// Package golden has what nodes of Apache Tribes 10.1.60 have put on the wire, for tests:
// members, heartbeats, frames, acks, streams of frames, the messages of layers and Java
// objects, in files of vectors. Each says what it is about, and what the bytes mean or what
// they lead to.
package golden

import (
	"embed"
	"encoding/hex"
	"encoding/json"
	"testing"
)

//go:embed testdata
var files embed.FS

// Read returns the vectors of a file, such as frames.json, in the order of the file. T has
// the fields that a test looks at.
func Read[T any](t testing.TB, file string) []T {
	t.Helper()
	text, err := files.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var all struct {
		Count   int
		Vectors []T
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if len(all.Vectors) != all.Count || all.Count == 0 {
		t.Fatalf("%s has %d vectors, and says %d", file, len(all.Vectors), all.Count)
	}
	return all.Vectors
}

// Hex is bytes that stand in a file in hexadecimal.
type Hex []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}
