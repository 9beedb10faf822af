package record

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/bytediff"
	"github.com/gotribes/tribes/membership"
)

// start is what the clock of a test shows in the beginning.
const start = 1000 * time.Second

var testKey = Key{0xab, 1, 2, 3}

// nodeID is the ID of a test node: 'a' is before 'b'.
func nodeID(name byte) membership.ID { return membership.ID{0: name, 15: 1} }

func node(name byte) Node { return NodeOf(nodeID(name)) }

func ver(counter uint64, name byte) Version { return Version{counter, node(name)} }

// on returns an empty session on a node, with attribute events.
func on(name byte, l Limits) *Session {
	return New(NewSite(nodeID(name), l, true), testKey)
}

// must fails the test if a write fails.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func set(t testing.TB, s *Session, name, value string) {
	t.Helper()
	must(t, s.Set(name, []byte(value)))
}

func add(t testing.TB, s *Session, name string, delta, want int64) {
	t.Helper()
	if got, err := s.Add(name, delta); err != nil || got != want {
		t.Fatalf("Add(%q, %d) = %d, %v, want %d", name, delta, got, err, want)
	}
}

func remove(t testing.TB, s *Session, name string) {
	t.Helper()
	if found, err := s.Delete(name); err != nil || !found {
		t.Fatalf("Delete(%q) = %v, %v", name, found, err)
	}
}

func merge(t testing.TB, s *Session, c *Change) Result {
	t.Helper()
	r, err := s.Merge(c, start)
	if err != nil {
		t.Fatal(err)
	}
	checkBooks(t, s)
	return r
}

// pull merges a snapshot of another node's session.
func pull(t testing.TB, s, from *Session) Result {
	t.Helper()
	r, err := s.MergeSnapshot(from.Snapshot(start), start)
	if err != nil {
		t.Fatal(err)
	}
	checkBooks(t, s)
	return r
}

// show is the session as its users see it.
func show(s *Session) string {
	var parts []string
	for name, v := range s.All() {
		if v.Kind == Bytes {
			text := string(v.Bytes)
			if len(text) > 40 {
				text = fmt.Sprintf("%x:%d", Checksum(v.Bytes), len(text))
			}
			parts = append(parts, name+"="+text)
		} else {
			parts = append(parts, fmt.Sprintf("%s=#%d", name, v.Number))
		}
	}
	if len(s.IDs()) > 0 {
		parts = append(parts, "ids="+strings.Join(s.IDs(), ","))
	}
	if p := s.Principal(); p != nil {
		parts = append(parts, "user="+string(p))
	}
	if s.Timeout() != 0 {
		parts = append(parts, "timeout="+s.Timeout().String())
	}
	if e, over := s.Ended(); over {
		parts = append(parts, e.Reason.String())
	}
	return strings.Join(parts, " ")
}

func wantShow(t testing.TB, s *Session, want string) {
	t.Helper()
	if got := show(s); got != want {
		t.Errorf("on %.2s: %s\nwant:  %s", s.site.node, got, want)
	}
}

// checkBooks compares what is kept up to date with what a recount finds.
func checkBooks(t testing.TB, s *Session) {
	t.Helper()
	if s.hasEnded {
		if s.size != 0 || s.digest != hashKey(s.key)+hashEnd() || s.entries != nil {
			t.Fatalf("an ended session has size %d", s.size)
		}
		return
	}
	size, live, digest := 0, 0, hashKey(s.key)+s.timeout.hash()
	for i := range s.entries {
		e := &s.entries[i]
		size += e.cost()
		digest += e.hash()
		if e.exists() {
			live++
		}
		if e.sum != 0 && e.sum != Checksum(e.value) {
			t.Fatalf("%s: wrong checksum", e.name.Value())
		}
		if e.ver.IsZero() && len(e.shares()) == 0 {
			t.Fatalf("%s: an entry of nothing", e.name.Value())
		}
		if !slices.IsSortedFunc(e.shares(), func(a, b Share) int { return a.Node.Compare(b.Node) }) {
			t.Fatalf("%s: shares out of order", e.name.Value())
		}
		if i > 0 && s.entries[i-1].name.Value() >= e.name.Value() {
			t.Fatalf("%s: out of order", e.name.Value())
		}
	}
	for id := range s.ids {
		size += idCost + len(id.Text)
		digest += id.hash()
	}
	if s.rare != nil {
		size += len(s.rare.principal.Value)
		digest += s.rare.principal.hash()
	}
	if int(s.size) != size || int(s.live) != live || s.digest != digest {
		t.Fatalf("size %d, attributes %d, digest %x; a recount finds %d, %d, %x",
			s.size, s.live, s.digest, size, live, digest)
	}
}

// asDiffs replaces values by differences where that is possible, as an encoder does
// where it is worth it.
func asDiffs(t testing.TB, c *Change) *Change {
	t.Helper()
	d := *c
	d.Attributes = slices.Clone(c.Attributes)
	for i := range d.Attributes {
		a := &d.Attributes[i]
		if a.Kind != Bytes || a.Base.Version.IsZero() {
			continue
		}
		diff, ok := bytediff.Append(nil, a.Base.Value, a.Value, 1<<20)
		if !ok {
			t.Fatal("no difference")
		}
		a.Kind, a.Size, a.Sum = Diff, len(a.Value), Checksum(a.Value)
		a.Value, a.Base.Value = diff, nil
	}
	return &d
}

// large is a value that is worth a difference; at says where it differs from others.
func large(at int, with string) []byte {
	v := bytes.Repeat([]byte("0123456789abcdef"), 40)
	copy(v[at:], with)
	return v
}
