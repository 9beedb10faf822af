package sessionwire

import (
	"bytes"
	"testing"

	"github.com/gotribes/tribes/session/internal/record"
)

// FuzzDecode: any input gives a typed error or a message that is written again byte for
// byte; the memory it takes is bounded by its length.
func FuzzDecode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(Append(nil, s.m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		m, err := Decode(b)
		if !bytes.Equal(in, b) {
			t.Fatal("the input has changed")
		}
		if err != nil {
			checkTyped(t, err, len(b))
			return
		}
		if again := Append(nil, m); !bytes.Equal(again, b) {
			t.Fatalf("%x is written as %x", b, again)
		}
	})
}

// FuzzMerge: whatever other nodes say about a session, and in whatever order, two nodes
// that take all of it agree once each has the other's snapshot twice; and what they
// send can be decoded.
func FuzzMerge(f *testing.F) {
	all := samples(f)
	for i, s := range all {
		f.Add(Append(nil, s.m), Append(nil, all[(i+3)%len(all)].m))
	}
	f.Fuzz(func(t *testing.T, one, two []byte) {
		x, y := record.New(site('x', record.Limits{}), key(7)), record.New(site('y', record.Limits{}), key(7))
		must(t, x.Set("user", []byte("x")), y.SetID("y"))
		if !mergeAll(x, one, two) || !mergeAll(y, two, one) {
			return
		}
		for range 2 {
			if !mergeSent(t, x, y) || !mergeSent(t, y, x) {
				return
			}
		}
		if x.Digest() != y.Digest() || x.Len() != y.Len() || x.ID() != y.ID() {
			t.Fatalf("the nodes differ:\n%+v\n%+v", x.Snapshot(start), y.Snapshot(start))
		}
	})
}

// mergeAll merges messages as far as they are about a session.
func mergeAll(s *record.Session, msgs ...[]byte) bool {
	for _, b := range msgs {
		m, err := Decode(b)
		if err != nil || !mergeInto(s, m) {
			return false
		}
	}
	return true
}

// mergeSent sends the session of one node to another.
func mergeSent(t *testing.T, to, from *record.Session) bool {
	if c := from.Take(start); c != nil {
		mergeInto(to, decode(t, Append(nil, &Change{*c})))
	}
	return mergeInto(to, decode(t, Append(nil, &StateBlock{Sessions: []record.Snapshot{*from.Snapshot(start)}})))
}
