package sessionwire

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/session/internal/record"
)

var update = flag.Bool("update", false, "write the golden files anew")

const golden = "testdata/messages.json"

// vector is one message in testdata.
type vector struct{ Name, Hex string }

// The bytes of messages do not change unnoticed.
func TestGolden(t *testing.T) {
	if *update {
		var list []vector
		for _, s := range samples(t) {
			list = append(list, vector{s.name, hex.EncodeToString(Append(nil, s.m))})
		}
		text, err := json.MarshalIndent(list, "", "  ")
		must(t, err, os.MkdirAll("testdata", 0o777), os.WriteFile(golden, append(text, '\n'), 0o666))
	}
	text, err := os.ReadFile(golden)
	must(t, err)
	var list []vector
	must(t, json.Unmarshal(text, &list))
	all := samples(t)
	if len(list) != len(all) {
		t.Fatalf("%d vectors for %d messages", len(list), len(all))
	}
	for i, s := range all {
		t.Run(s.name, func(t *testing.T) {
			if got := hex.EncodeToString(Append(nil, s.m)); list[i].Name != s.name || got != list[i].Hex {
				t.Errorf("Append = %s\nwant %s %s", got, list[i].Name, list[i].Hex)
			}
		})
	}
}

// A change written by hand from the format in doc.go.
func TestByHand(t *testing.T) {
	a := "61000000000000000000000000000001"
	text := "01 03" + // version, change
		"00000000000000070000000000000000" + // key
		"00" + a + // origin: a new node, number 0
		"04 03" + // writes above 4, up to 7
		"03" + // attributes and ids
		"02" + // two attributes
		"01 6e 04 00 01 00 05 0b" + // n: only Adds; one share: node 0, at 5, -6
		"01 75 01 06 00 02 6869" + // u: bytes, version 6 of node 0, "hi"
		"01 07 00 03 58 2e 31" // one id: version 7 of node 0, "X.1"
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	must(t, err)
	want := &Change{record.Change{Key: key(7), Origin: node('a'), From: 4, To: 7, Parts: record.Parts{
		Attributes: []record.Attribute{
			{Name: "n", Shares: []record.Share{{Node: node('a'), Counter: 5, Sum: -6}}},
			{Name: "u", Version: ver(6, 'a'), Kind: record.Bytes, Value: []byte("hi")},
		},
		IDs: []record.ID{{Version: ver(7, 'a'), Text: "X.1"}},
	}}}
	if got := decode(t, b); show(got) != show(want) {
		t.Errorf("Decode = %s\nwant %s", show(got), show(want))
	}
	if got := Append(nil, want); !bytes.Equal(got, b) {
		t.Errorf("Append = %x\nwant %x", got, b)
	}
}

func TestRoundTrip(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			b := Append([]byte("before"), s.m)[len("before"):]
			m := decode(t, b)
			if m.Kind() != s.m.Kind() || strings.HasPrefix(m.Kind().String(), "kind ") {
				t.Errorf("Kind() = %v, want %v", m.Kind(), s.m.Kind())
			}
			if again := Append(nil, m); !bytes.Equal(again, b) {
				t.Errorf("Append(Decode) = %x\nwant %x", again, b)
			}
		})
	}
}

// checkTyped fails the test unless err is one of the errors of Decode.
func checkTyped(t testing.TB, err error, size int) {
	t.Helper()
	var f *FormatError
	var v *VersionError
	var k *KindError
	switch {
	case errors.As(err, &v), errors.As(err, &k):
	case errors.As(err, &f) && f.Offset >= 0 && f.Offset <= size && f.Reason > 0 && f.Reason < wire.NumReasons:
	default:
		t.Fatalf("Decode: %v", err)
	}
}

func TestTruncatedAnywhere(t *testing.T) {
	for _, s := range samples(t) {
		b := Append(nil, s.m)
		for n := range b {
			m, err := Decode(b[:n:n])
			if err == nil {
				t.Fatalf("%s: %d of %d bytes decode to %s", s.name, n, len(b), show(m))
			}
			checkTyped(t, err, n)
		}
	}
}

func TestTrailingBytes(t *testing.T) {
	for _, s := range samples(t) {
		b := Append(nil, s.m)
		want := &FormatError{Reason: wire.TrailingBytes, Offset: len(b)}
		if _, err := Decode(append(b, 0)); !errors.Is(err, want) {
			t.Errorf("%s: Decode with a byte behind: %v, want %v", s.name, err, want)
		}
	}
}

// Whatever bit is wrong: no panic, a typed error, or another message in canonical form.
func TestBitFlips(t *testing.T) {
	for _, s := range samples(t) {
		b := Append(nil, s.m)
		for i := range 8 * len(b) {
			b[i/8] ^= 1 << (i % 8)
			if m, err := Decode(b); err != nil {
				checkTyped(t, err, len(b))
			} else if again := Append(nil, m); !bytes.Equal(again, b) {
				t.Fatalf("%s, bit %d: %x is written as %x", s.name, i, b, again)
			}
			b[i/8] ^= 1 << (i % 8)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	const (
		keyHex = "00000000000000070000000000000000"
		a, b   = "0061000000000000000000000000000001", "0162000000000000000000000000000001"
		change = "0103" + keyHex + a + "0001" // origin a, (0,1]
	)
	format := func(r wire.Reason, at int) error { return &FormatError{Reason: r, Offset: at} }
	tests := []struct {
		name string
		hex  string
		want error
	}{
		{"nothing", "", format(wire.Truncated, 0)},
		{"version alone", "01", format(wire.Truncated, 1)},
		{"hello: version 0", "0101000100000000", format(wire.BadNumber, 2)},
		{"hello: highest below lowest", "010102010000", format(wire.BadNumber, 2)},
		{"hello: flag of 2", "01010101020000", format(wire.NotCanonical, 4)},
		{"change: node out of turn", "0103" + keyHex + "01", format(wire.BadNumber, 18)},
		{"change: node none", "0103" + keyHex + "0000000000000000000000000000000000" + "000100", format(wire.NotCanonical, 18)},
		{"change: number too long", "0103" + keyHex + a + "8000", format(wire.NotCanonical, 35)},
		{"change: end past 64 bits", "0103" + keyHex + a + "ffffffffffffffffff0101", format(wire.BadNumber, 45)},
		{"unknown part", change + "40", format(wire.NotCanonical, 37)},
		{"end and more", change + "2100", format(wire.NotCanonical, 37)},
		{"end without a version", change + "200001", format(wire.BadNumber, 38)},
		{"end without a reason", change + "20010000", format(wire.BadNumber, 40)},
		{"no attributes", change + "0100", format(wire.NotCanonical, 38)},
		{"more attributes than bytes", change + "01020161010100", format(wire.LengthPastEnd, 38)},
		{"attribute without a name", change + "0101000101000000", format(wire.BadLength, 39)},
		{"names out of order", change + "010201620001000161000100", format(wire.NotCanonical, 44)},
		{"name twice", change + "010201610001000161000100", format(wire.NotCanonical, 44)},
		{"name past the end", change + "01010561000100", format(wire.LengthPastEnd, 39)},
		{"kind of attribute", change + "01010161080100", format(wire.NotCanonical, 41)},
		{"bytes with shares", change + "010101610501000001000102", format(wire.NotCanonical, 41)},
		{"never set and removed", change + "0101016100000000", format(wire.BadNumber, 41)},
		{"never set with a value", change + "0101016101000161", format(wire.BadNumber, 41)},
		{"no shares", change + "01010161040000", format(wire.NotCanonical, 43)},
		{"share at 0", change + "0101016104000100" + "0002", format(wire.BadNumber, 45)},
		{"share of a node twice", change + "01010161040002000102000202", format(wire.NotCanonical, 47)},
		{"shares out of order", "0103" + keyHex + "0062000000000000000000000000000001" + "0001" +
			"01010161040002" + "000102" + "0161000000000000000000000000000001" + "0202", format(wire.NotCanonical, 47)},
		{"node named twice", change + "01010161040002" + "000102" + "0161000000000000000000000000000001" + "0202", format(wire.NotCanonical, 47)},
		{"difference from nothing", change + "0101016103010000" + "05" + "00000000" + "00", format(wire.BadNumber, 44)},
		{"no ids", change + "0200", format(wire.NotCanonical, 38)},
		{"id without a text", change + "020101000000", format(wire.BadLength, 41)},
		{"ids out of order", change + "02020100016102000162", format(wire.NotCanonical, 43)},
		{"timeout without a version", change + "040000", format(wire.BadNumber, 38)},
		{"timeout too long", change + "040100ffffffffffffffff7f", format(wire.BadNumber, 40)},
		{"touch without a version", change + "100000", format(wire.BadNumber, 38)},
		{"touches out of order", "010402" + keyHex + "01" + a + "01" + "0000000000000006" + "0000000000000000" + "010001", format(wire.NotCanonical, 38)},
		{"snapshot: marks out of order", "010700000001" + keyHex + "02" + "0062000000000000000000000000000001" + "01" +
			"0161000000000000000000000000000001" + "01" + "00", format(wire.NotCanonical, 41)},
		{"snapshot: mark of 0", "010700000001" + keyHex + "01" + a + "0000", format(wire.BadNumber, 40)},
		{"snapshot: difference", "010700000001" + keyHex + "01" + a + "05" + "01" + "01" + "0161" + "03" + "0200" + "0100" + "00" + "00000000" + "00",
			format(wire.BadNumber, 43)},
		{"digest of another bucket", "0109" + "01" + "01" + keyHex + "0000000000000001", format(wire.BadNumber, 4)},
		{"fetch out of order", "010a0002" + keyHex + keyHex, format(wire.NotCanonical, 20)},
		{"fetch of more than there is", "010a0003" + keyHex + keyHex, format(wire.LengthPastEnd, 3)},
		{"request: block above 32 bits", "010600" + keyHex + "808080801000", format(wire.BadNumber, 19)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in, err := hex.DecodeString(tt.hex)
			must(t, err)
			if m, err := Decode(in); !errors.Is(err, tt.want) {
				t.Errorf("Decode = %v, %v, want %v", m, err, tt.want)
			}
		})
	}
}

// However many nodes a message names, it names each once.
func TestNodeNamedTwice(t *testing.T) {
	for _, n := range []int{2, manyNodes, manyNodes + 1, manyNodes + 2, 3 * manyNodes} {
		m := &Touches{}
		for i := range n {
			m.Sessions = append(m.Sessions, Touch{key(uint64(i)), record.Touch{Version: ver(1, byte(i+1))}})
		}
		b := Append(nil, m)
		decode(t, b)
		name := &b[len(b)-len("\x01")-16] // in front of how long the session has left
		if *name != byte(n) {
			t.Fatalf("%d nodes: %x does not end with the last one", n, b)
		}
		*name = byte(n - 1)
		if got, err := Decode(b); !errors.Is(err, &FormatError{Reason: wire.NotCanonical, Offset: -1}) {
			t.Errorf("%d nodes, the last one twice: %v, %v", n, got, err)
		}
	}
}

// The nodes of one message are bounded.
func TestTooManyNodes(t *testing.T) {
	m := &Touches{}
	for i := range uint32(maxNodes + 1) {
		id := membership.ID{15: 1}
		binary.BigEndian.PutUint32(id[:], i)
		v := record.Version{Counter: 1, Node: record.NodeOf(id)}
		m.Sessions = append(m.Sessions, Touch{key(uint64(i)), record.Touch{Version: v}})
	}
	want := &FormatError{Reason: wire.TooLarge, Offset: -1}
	if _, err := Decode(Append(nil, m)); !errors.Is(err, want) {
		t.Errorf("Decode: %v, want %v", err, want)
	}
	m.Sessions = m.Sessions[:maxNodes]
	decode(t, Append(nil, m))
}

func TestVersionsAndKinds(t *testing.T) {
	var v *VersionError
	if _, err := Decode([]byte{2, 99, 1}); !errors.As(err, &v) || *v != (VersionError{Got: 2, Want: 1}) {
		t.Errorf("Decode of version 2: %v", err)
	}
	if got, want := v.Error(), "tribes: session: message of protocol version 2, want 1"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	for _, kind := range []byte{0, 11, 255} {
		var k *KindError
		if _, err := Decode([]byte{1, kind, 1}); !errors.As(err, &k) || k.Kind != Kind(kind) {
			t.Errorf("Decode of kind %d: %v", kind, err)
		}
	}
	if got, want := Kind(11).String(), "kind 11"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	if got, want := (&KindError{11}).Error(), "tribes: session: unknown kind of message: 11"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) int {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int(after.TotalAlloc - before.TotalAlloc)
}

// The memory of a message is a small multiple of its bytes.
func TestMemoryIsBounded(t *testing.T) {
	const factor, fixed = 40, 8 << 10
	inputs := map[string][]byte{}
	for _, s := range samples(t) {
		inputs[s.name] = Append(nil, s.m)
	}
	head := append([]byte{Version, byte(KindChange)}, make([]byte, 16)...)
	head = append(head, 0)
	head = append(head, bytes.Repeat([]byte{1}, 16)...)
	fill := func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }
	count := []byte{0x80, 0x80, 0x0c} // 196608
	inputs["attributes"] = fill(append(append(bytes.Clone(head), 0, 1, hasAttributes), count...))
	inputs["shares"] = fill(append(append(bytes.Clone(head), 0, 1, hasAttributes, 1, 1, 'n', hasShares, 0), count...))
	inputs["ids"] = fill(append(append(bytes.Clone(head), 0, 1, hasIDs), count...))
	inputs["snapshots"] = fill([]byte{Version, byte(KindStateBlock), 0, 0, 0, 0xff, 0xff, 2})
	inputs["keys"] = fill([]byte{Version, byte(KindFetch), 0, 0xff, 0xff, 3})
	inputs["keys, huge"] = fill([]byte{Version, byte(KindFetch), 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	for name, b := range inputs {
		t.Run(name, func(t *testing.T) {
			got := allocated(func() { _, _ = Decode(b) })
			if got > factor*len(b)+fixed {
				t.Errorf("%d bytes take %d bytes of memory, more than %d for each and %d", len(b), got, factor, fixed)
			}
		})
	}
}

// What a session has merged does not change with the buffer that it came in.
func TestMergeKeepsNothingOfTheInput(t *testing.T) {
	for _, s := range samples(t) {
		b := Append(nil, s.m)
		x := record.New(site('x', record.Limits{}), key(7))
		if !mergeInto(x, decode(t, b)) {
			continue
		}
		before := Append(nil, &StateBlock{Sessions: []record.Snapshot{*x.Snapshot(start)}})
		clear(b)
		if after := Append(nil, &StateBlock{Sessions: []record.Snapshot{*x.Snapshot(start)}}); !bytes.Equal(before, after) {
			t.Errorf("%s: the session changed with its input", s.name)
		}
	}
}

// mergeInto merges what a message has of a session, and reports whether all of it was
// admitted.
func mergeInto(s *record.Session, m Message) bool {
	switch m := m.(type) {
	case *Change:
		m.Key = s.Key()
		_, err := s.Merge(&m.Change, start)
		return err == nil
	case *StateBlock:
		for i := range m.Sessions {
			m.Sessions[i].Key = s.Key()
			if _, err := s.MergeSnapshot(&m.Sessions[i], start); err != nil {
				return false
			}
		}
		return true
	}
	return false
}

// A difference is sent where it is small, and gives the value on the other side.
func TestDifference(t *testing.T) {
	a, b := record.New(site('a', record.Limits{}), key(7)), record.New(site('b', record.Limits{}), key(7))
	value := bytes.Repeat([]byte("0123456789abcdef"), 640)
	for i, want := range []struct {
		kind        record.Kind
		least, most int
	}{{record.Bytes, 10240, 10400}, {record.Diff, 1, 150}, {record.Bytes, 10240, 10400}, {record.Bytes, 10240, 10400}} {
		switch i {
		case 1:
			value = bytes.Clone(value)
			copy(value[5000:], "changed")
		case 2:
			value = bytes.Clone(value)
			for j := range value {
				value[j] = byte(j * j >> 3)
			}
		case 3: // a difference of more than half the bytes
			value = bytes.Clone(value)
			for j := range value[:6000] {
				value[j]++
			}
		}
		must(t, a.Set("v", value))
		msg := Append(nil, &Change{*a.Take(start)})
		if len(msg) < want.least || len(msg) > want.most {
			t.Errorf("round %d: message of %d bytes, want %d to %d", i, len(msg), want.least, want.most)
		}
		m := decode(t, msg)
		if got := m.(*Change).Attributes[0].Kind; got != want.kind {
			t.Errorf("round %d: sent as kind %d, want %d", i, got, want.kind)
		}
		if !mergeInto(b, m) {
			t.Fatalf("round %d: not merged", i)
		}
		if got, _ := b.Get("v"); !bytes.Equal(got.Bytes, value) || a.Digest() != b.Digest() {
			t.Fatalf("round %d: another value arrived", i)
		}
	}
}
