package sessionwire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/session/internal/record"
)

// storedHex is the session of full, as it is stored: stores outlive programs, so these bytes
// must be read for ever.
const storedHex = "01" + "0463626f72" + "00000000000000070000000000000000" + // version, codec "cbor", key
	"01" + "00" + "61000000000000000000000000000001" + "09" + // marks: node a, 9
	"1f" + // attributes, ids, timeout, principal, touch
	"04" + // attributes
	"04676f6e65" + "00" + "0900" + // gone, removed
	"0468697473" + "04" + "00" + "01" + "000802" + // hits, 1 added
	"0475736572" + "01" + "0400" + "05616c696365" + // user
	"06766973697473" + "06" + "0500" + "05" + "01" + "000714" + // visits, -3 and 10 added
	"01" + "0100" + "16303132333435363738394142434445462e6e6f646531" + // id
	"0200" + "c0ee6d" + // 30 minutes
	"0300" + "05616c696365" + // principal
	"0a00" + "00" // touch

func storedFull(t testing.TB) *Stored {
	s := full(t)
	s.Take(start)
	return &Stored{Codec: "cbor", Snapshot: *s.Snapshot(start)}
}

func TestStored(t *testing.T) {
	s := storedFull(t)
	b := AppendStored(nil, s)
	if got := hex.EncodeToString(b); got != storedHex {
		t.Errorf("stored as\n%s, want\n%s", got, storedHex)
	}
	back, err := DecodeStored(b)
	must(t, err)
	if back.Codec != "cbor" || back.Touch.Remaining != record.Never {
		t.Errorf("codec %q, touch %v", back.Codec, back.Touch)
	}
	if again := AppendStored(nil, back); !bytes.Equal(again, b) {
		t.Errorf("stored again as %x", again)
	}
	back.Left(time.Minute)
	other := record.New(site('b', record.Limits{}), key(7))
	_, err = other.MergeSnapshot(&back.Snapshot, start)
	must(t, err)
	if other.Digest() != full(t).Digest() || other.Remaining(start) != time.Minute {
		t.Errorf("another session, or %v left", other.Remaining(start))
	}
}

func TestStoredRefuses(t *testing.T) {
	good, err := hex.DecodeString(storedHex)
	must(t, err)
	ended := record.New(site('a', record.Limits{}), key(7))
	must(t, ended.SetID("id"), ended.End(record.Invalidated))
	var version *VersionError
	var format *FormatError
	for i := range good {
		if _, err := DecodeStored(good[:i]); !errors.As(err, &format) {
			t.Errorf("the first %d bytes: %v", i, err)
		}
	}
	if _, err := DecodeStored(append([]byte{2}, good[1:]...)); !errors.As(err, &version) || version.Got != 2 {
		t.Errorf("version 2: %v", err)
	}
	for name, b := range map[string][]byte{
		"more":        append(bytes.Clone(good), 0),
		"ended":       AppendStored(nil, &Stored{Snapshot: *ended.Snapshot(0)}),
		"no id":       AppendStored(nil, &Stored{Snapshot: *record.New(site('a', record.Limits{}), key(7)).Snapshot(0)}),
		"time left":   append(bytes.Clone(good[:len(good)-1]), 1),
		"not ours":    []byte("PHPSESSION"),
		"a message":   Append(nil, &StateBlock{Last: true, Sessions: []record.Snapshot{storedFull(t).Snapshot}}),
		"many claims": append(bytes.Clone(good[:22]), 0xff, 0xff, 0xff, 0xff, 0x7f),
	} {
		if _, err := DecodeStored(b); err == nil || !errors.As(err, &format) && !errors.As(err, &version) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := DecodeStored(append(bytes.Clone(good), 0)); !errors.Is(err, refused(wire.TrailingBytes, len(good))) && err.Error() != refused(wire.TrailingBytes, len(good)).Error() {
		t.Errorf("bytes behind: %v", err)
	}
}

// FuzzDecodeStored: any bytes in a store give a typed error, or a session that is stored
// again byte for byte and that a record takes or refuses; the memory is bounded by the input.
func FuzzDecodeStored(f *testing.F) {
	f.Add(AppendStored(nil, storedFull(f)))
	f.Add(AppendStored(nil, &Stored{Codec: "json", Snapshot: manyNodesIn(f)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		s, err := DecodeStored(b)
		if err != nil {
			checkTyped(t, err, len(b))
			return
		}
		if again := AppendStored(nil, s); !bytes.Equal(again, b) {
			t.Fatalf("%x is stored again as %x", b, again)
		}
		s.Left(time.Minute)
		rec := record.New(site('x', record.Limits{}), s.Key)
		if _, err := rec.MergeSnapshot(&s.Snapshot, start); err == nil {
			rec.SetAccess(start)
			_ = rec.Set("k", []byte("v")) // may be refused, and must not panic
			AppendStored(nil, &Stored{Snapshot: *rec.Snapshot(start)})
		}
		if !bytes.Equal(in, b) {
			t.Fatal("the input has changed")
		}
	})
}
