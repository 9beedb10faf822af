package record

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Digests are compared between nodes that may run different releases: they do not
// change unnoticed.
func TestGoldenDigests(t *testing.T) {
	steps := []struct {
		name  string
		write func(s *Session) error
	}{
		{"empty", func(*Session) error { return nil }},
		{"id", func(s *Session) error { return s.SetID("0123.node1") }},
		{"timeout", func(s *Session) error { return s.SetTimeout(1800e9, start) }},
		{"bytes", func(s *Session) error { return s.Set("user", []byte("alice")) }},
		{"number", func(s *Session) error { return s.SetNumber("n", -7) }},
		{"share", func(s *Session) error { _, err := s.Add("n", 3); return err }},
		{"principal", func(s *Session) error { return s.SetPrincipal([]byte("alice")) }},
		{"removed", func(s *Session) error { _, err := s.Delete("user"); return err }},
		{"ended", func(s *Session) error { return s.End(Expired) }},
	}
	s, got := on('a', Limits{}), map[string]string{}
	for _, st := range steps {
		must(t, st.write(s))
		got[st.name] = fmt.Sprintf("%016x", s.Digest())
	}
	const golden = "testdata/digest.json"
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		must(t, err, os.MkdirAll("testdata", 0o777), os.WriteFile(golden, append(text, '\n'), 0o666))
	}
	text, err := os.ReadFile(golden)
	must(t, err)
	var want map[string]string
	must(t, json.Unmarshal(text, &want))
	for _, st := range steps {
		if got[st.name] != want[st.name] {
			t.Errorf("%s: digest %s, want %s", st.name, got[st.name], want[st.name])
		}
	}
}

// Everything that is replicated is in the digest.
func TestDigestTellsApart(t *testing.T) {
	base := func() *Session {
		s := on('a', Limits{})
		must(t, s.Set("x", []byte("1")), s.SetNumber("n", 1), s.SetID("i"), s.SetPrincipal([]byte("p")), s.SetTimeout(1e9, start))
		return s
	}
	seen := map[uint64]string{base().Digest(): "nothing", New(NewSite(nodeID('a'), Limits{}, false), Key{9}).Digest(): "key"}
	for name, write := range map[string]func(s *Session) error{
		"value":     func(s *Session) error { return s.Set("x", []byte("2")) },
		"same":      func(s *Session) error { return s.Set("x", []byte("1")) }, // another version
		"name":      func(s *Session) error { return s.Set("y", []byte("1")) },
		"number":    func(s *Session) error { return s.SetNumber("n", 2) },
		"share":     func(s *Session) error { _, err := s.Add("n", 1); return err },
		"removal":   func(s *Session) error { _, err := s.Delete("x"); return err },
		"id":        func(s *Session) error { return s.SetID("j") },
		"principal": func(s *Session) error { return s.SetPrincipal([]byte("q")) },
		"timeout":   func(s *Session) error { return s.SetTimeout(2e9, start) },
		"end":       func(s *Session) error { return s.End(Expired) },
	} {
		s := base()
		must(t, write(s))
		checkBooks(t, s)
		if other, twice := seen[s.Digest()]; twice {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[s.Digest()] = name
	}
}

func TestNames(t *testing.T) {
	if got, want := ver(3, 'a').String(), "3@61000000000000000000000000000001"; got != want {
		t.Errorf("Version.String() = %q, want %q", got, want)
	}
	if got, want := testKey.String(), "ab010203000000000000000000000000"; got != want {
		t.Errorf("Key.String() = %q, want %q", got, want)
	}
	if (Key{1}).Compare(Key{2}) >= 0 || node('a').Compare(node('b')) >= 0 || ver(1, 'b').Compare(ver(2, 'a')) >= 0 ||
		ver(1, 'b').Compare(ver(1, 'a')) <= 0 || node('a').Compare(node('a')) != 0 {
		t.Error("wrong order")
	}
	if NodeOf(nodeID('a')) != node('a') || !NodeOf(Node{}.ID()).IsZero() {
		t.Error("nodes of the same ID differ")
	}
	s := on('a', Limits{})
	if s.Key() != testKey || !s.Covers(Version{}) || s.Covers(ver(1, 'a')) {
		t.Error("a new session knows of writes")
	}
	set(t, s, "x", "1")
	if !s.Covers(ver(1, 'a')) || s.Version("x") != ver(1, 'a') || s.site.Node() != node('a') {
		t.Error("an own write is not known")
	}
	add(t, s, "n", 1, 1)
	if s.Version("n") != ver(2, 'a') {
		t.Errorf("version of a counter %v", s.Version("n"))
	}
}
