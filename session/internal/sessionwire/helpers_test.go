package sessionwire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

const start = 1000 * time.Second

func node(name byte) record.Node { return record.NodeOf(membership.ID{0: name, 15: 1}) }

func ver(counter uint64, name byte) record.Version {
	return record.Version{Counter: counter, Node: node(name)}
}

func key(n uint64) (k record.Key) {
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

func site(name byte, l record.Limits) *record.Site {
	return record.NewSite(node(name).ID(), l, true)
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// full is a session that has some of everything.
func full(t testing.TB) *record.Session {
	s := record.New(site('a', record.Limits{}), key(7))
	must(t, s.SetID("0123456789ABCDEF.node1"), s.SetTimeout(30*time.Minute, start), s.SetPrincipal([]byte("alice")))
	must(t, s.Set("user", []byte("alice")), s.SetNumber("visits", -3), s.Set("gone", nil))
	_, err := s.Add("visits", 10)
	must(t, err)
	_, err = s.Add("hits", 1)
	must(t, err)
	_, err = s.Delete("gone")
	must(t, err)
	return s
}

// sample is a message with a name; the bytes are in testdata/messages.json.
type sample struct {
	name string
	m    Message
}

// samples has a message of each kind, and the special cases.
func samples(t testing.TB) []sample {
	s := full(t)
	first := s.Take(start)
	large := bytes.Repeat([]byte("0123456789abcdef"), 32)
	must(t, s.Set("cart", large))
	s.Take(start)
	large = bytes.Clone(large)
	large[100]++
	must(t, s.Set("cart", large))
	second := s.Take(start)
	other := record.New(site('b', record.Limits{}), key(9))
	must(t, other.End(record.Invalidated))
	return []sample{
		{"hello", &Hello{Manager: "/app", MinVersion: 1, MaxVersion: 1, Codec: "gob", Route: "node1", State: Ready}},
		{"bye", &Bye{}},
		{"bye-draining", &Bye{Draining: true}},
		{"change", &Change{*first}},
		{"change-difference", &Change{*second}},
		{"change-end", &Change{*other.Take(start)}},
		{"touches", &Touches{[]Touch{
			{key(1), record.Touch{Version: ver(9, 'a'), Remaining: 1800*time.Second + 1}},
			{key(2), record.Touch{Version: ver(300, 'b'), Remaining: record.Never}},
			{key(3), record.Touch{Version: ver(301, 'a')}},
		}}},
		{"touches-none", &Touches{}},
		{"ends", &Ends{[]End{
			{key(1), record.End{Version: ver(9, 'a'), Reason: record.Expired}},
			{key(2), record.End{Version: ver(1<<40, 'b'), Reason: record.Invalidated}},
		}}},
		{"state-request", &StateRequest{Request: 5, From: key(2), Sessions: 1000, Bytes: 1 << 20}},
		{"state-block", &StateBlock{Request: 5, Index: 3, Last: true, Sessions: []record.Snapshot{
			*s.Snapshot(start), *other.Snapshot(start), *record.New(site('c', record.Limits{}), key(10)).Snapshot(start)}}},
		{"state-block-empty", &StateBlock{Request: 1 << 63, Last: true}},
		{"buckets", &Buckets{Sessions: 2, Sums: [NumBuckets]uint64{0: 1, 255: 1<<64 - 1}}},
		{"digests", &Digests{Bucket: 0, Sessions: []Digest{{key(1), 5}, {key(2), 6}}}},
		{"fetch", &Fetch{Request: 9, Keys: []record.Key{key(1), key(2)}}},
		{"state-block-many-nodes", &StateBlock{Sessions: []record.Snapshot{manyNodesIn(t)}}},
	}
}

// manyNodesIn is a session to which more nodes have added than a list is searched for.
func manyNodesIn(t testing.TB) record.Snapshot {
	s := record.New(site('z', record.Limits{}), key(11))
	for i := range byte(2 * manyNodes) {
		o := record.New(site('A'+i, record.Limits{}), key(11))
		_, err := o.Add("hits", int64(i)+1)
		must(t, err)
		_, err = s.Merge(o.Take(start), start)
		must(t, err)
	}
	return *s.Snapshot(start)
}

func decode(t testing.TB, b []byte) Message {
	t.Helper()
	m, err := Decode(b)
	if err != nil {
		t.Fatalf("Decode(%x): %v", b, err)
	}
	return m
}

// show writes a message for comparison.
func show(m Message) string { return fmt.Sprintf("%+v", m) }
