package mapwire

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap/internal/entry"
)

func ver(counter uint64, node byte) entry.Version {
	return entry.Version{Counter: counter, Node: membership.ID{node}}
}

// samples are messages of every kind and form.
func samples() []Message {
	live := entry.Entry{Key: "k", Value: []byte("value"), Version: ver(3, 'a'), Lifetime: entry.Forever}
	timed := entry.Entry{Key: "", Value: []byte{}, Version: ver(1<<62, 'b'), Lifetime: 1500 * time.Millisecond}
	gone := entry.Entry{Key: "g", Gone: true, Version: ver(9, 'a'), Lifetime: entry.Forever}
	marked := live
	marked.Marks = []entry.Version{ver(3, 'a'), ver(2, 'c')}
	placed, proxy, timedProxy := live, live, marked
	placed.Placed = true
	proxy.Value, proxy.Proxy, proxy.Placed, proxy.Sum = nil, true, true, 1<<63
	timedProxy.Value, timedProxy.Proxy, timedProxy.Placed, timedProxy.Lifetime = nil, true, true, time.Second
	changed, same := marked, live
	changed.Value, changed.Sum, changed.Placed = nil, 7, true
	changed.Diff = &entry.Diff{Base: ver(2, 'c'), BaseSum: 1 << 63, Size: 100, Steps: []byte("steps")}
	same.Value, same.Sum, same.Diff = nil, 8, &entry.Diff{Base: live.Version, BaseSum: 8, Size: 5}
	all := []entry.Entry{live, timed, gone, marked, placed, proxy, timedProxy}
	sums := &Buckets{Request: 7, Entries: 1}
	sums.Sums[255] = 1<<64 - 1
	return []Message{
		&Hello{MinVersion: 1, MaxVersion: 2, Map: "m", Codecs: "string/bytes", Resolves: true, State: Ready}, &Hello{MinVersion: 1, MaxVersion: 1, Known: true},
		&Hello{MinVersion: 1, MaxVersion: 1},
		&Bye{},
		&Change{Entries: all}, &Change{}, &Change{Entries: []entry.Entry{live, changed, same, gone}},
		&Request{Request: 300, From: entry.Place{Bucket: 5, After: "k", Begun: true}, Entries: 1000, Bytes: 1 << 18},
		&Block{Request: 300, Next: entry.Place{Bucket: entry.Buckets}, Entries: all},
		sums, &Buckets{Request: 7, Answer: true},
		&Digests{Request: 7, Bucket: 255, Entries: []entry.Digest{{Key: "k", Version: ver(3, 'a'), Sum: 42}, {Key: "l", Version: ver(4, 'a')}}},
		&Fetch{Request: 8, Keys: []string{"k", ""}},
		&Done{Request: 8},
		&Write{Request: 9, Condition: IfAbsent, Entry: entry.Entry{Key: "k", Value: []byte("v"), Lifetime: entry.Forever}},
		&Write{Request: 9, Condition: IfVersion, Version: ver(3, 'a'), Entry: entry.Entry{Key: "k", Gone: true, Lifetime: entry.Forever}},
		&Write{Request: 9, Condition: IfValue, Value: []byte("v"), Entry: entry.Entry{Key: "k", Value: []byte("w"), Lifetime: time.Second}},
		&Written{Request: 9, Outcome: Wrote, Entry: &live},
		&Written{Request: 9, Outcome: Failed, Error: "store"}, &Written{Request: 9, Outcome: Lacks},
		&Written{Request: 9, Outcome: NoHolder, Error: "nobody has it"},
		&Written{Request: 9, Outcome: Wrote, Entry: &same},
		&Write{Request: 9, Condition: IfVersion, Version: ver(3, 'a'), Has: &entry.State{Key: "k", Version: ver(3, 'a'), Sum: 9},
			Entry: entry.Entry{Key: "k", Sum: 7, Diff: changed.Diff, Lifetime: time.Second}},
		&Ask{Request: 10, Bytes: 1 << 18, Keys: []string{"k", ""}}, &Ask{},
		&Values{Request: 10, Keys: 2, Entries: all}, &Values{},
		&Check{Request: 11, States: []entry.State{{Key: "k", Version: ver(3, 'a'), Sum: 42}, {Key: "l", Version: ver(4, 'a')}}},
		&Checked{Request: 11, Has: []Has{HasNot, HasProxy, HasValue, Holds}},
	}
}

func TestRoundTrip(t *testing.T) {
	seen := make(map[Kind]bool)
	for _, m := range samples() {
		b := Append(nil, m)
		got, err := Decode(b)
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%v: decoded as %+v, %v; want %+v", m.Kind(), got, err, m)
		}
		seen[m.Kind()] = true
	}
	for k := KindHello; k <= KindChecked; k++ {
		if !seen[k] {
			t.Errorf("no sample of %v", k)
		}
	}
}

// Truncated at every byte, every message is refused.
func TestTruncated(t *testing.T) {
	for _, m := range samples() {
		b := Append(nil, m)
		for n := range b {
			if got, err := Decode(b[:n]); err == nil {
				t.Errorf("%v: %d of %d bytes decode as %+v", m.Kind(), n, len(b), got)
			}
		}
	}
}

// Bytes that nobody may send, each with its reason.
func TestRefused(t *testing.T) {
	format := func(r wire.Reason) error { return &wire.FormatError{Reason: r, Offset: -1} }
	node, sum := string(bytes.Repeat([]byte{7}, 16)), "abcdefgh"
	tests := []struct {
		name, in string
		want     error
	}{
		{"empty", "", format(wire.Truncated)},
		{"trailing", "\x01\x02x", format(wire.TrailingBytes)},
		{"state", "\x01\x01\x01\x01\x00\x00\x00\x03", format(wire.BadNumber)},
		{"versions upside down", "\x01\x01\x02\x01\x00\x00\x00\x00", format(wire.BadNumber)},
		{"many entries", "\x01\x03\xff\xff\xff\xff\x0f", format(wire.LengthPastEnd)},
		{"long key", "\x01\x08\x01\x01\xff\x01", format(wire.LengthPastEnd)},
		{"counter 0", "\x01\x03\x01\x01k\x01\x00\x00" + node, format(wire.BadNumber)},
		{"node out of order", "\x01\x03\x01\x01k\x01\x01\x01" + node, format(wire.BadNumber)},
		{"node twice", "\x01\x03\x02\x01k\x01\x01\x00" + node + "\x01l\x01\x01\x01" + node, format(wire.NotCanonical)},
		{"no marks", "\x01\x03\x01\x01k\x05\x01\x00" + node + "\x00", format(wire.NotCanonical)},
		{"marks out of order", "\x01\x03\x01\x01k\x05\x01\x00" + node + "\x02\x01\x00\x02\x00", format(wire.NotCanonical)},
		{"flags", "\x01\x03\x01\x01k\x40\x01\x00" + node, format(wire.BadNumber)},
		{"lifetime of nothing", "\x01\x03\x01\x01k\x03\x00\x01\x00" + node, format(wire.NotCanonical)},
		{"proxy of what is gone", "\x01\x03\x01\x01k\x09\x01\x00" + node, format(wire.NotCanonical)},
		{"gone and placed", "\x01\x03\x01\x01k\x11\x01\x00" + node, format(wire.NotCanonical)},
		{"proxy that is placed", "\x01\x03\x01\x01k\x18\x01\x00" + node, format(wire.NotCanonical)},
		{"short sum", "\x01\x03\x01\x01k\x08\x01\x00", format(wire.Truncated)},
		{"has 4", "\x01\x0f\x01\x01\x04", format(wire.BadNumber)},
		{"no condition", "\x01\x0a\x01\x00\x01k\x01", format(wire.BadNumber)},
		{"version 2 for nothing", "\x02\x02", format(wire.NotCanonical)},
		{"difference in version 1", "\x01\x03\x01\x01k\x20\x01\x00" + node + sum + "\x09" + sum + "\x00\x01\x00", format(wire.NotCanonical)},
		{"difference and proxy", "\x02\x03\x01\x01k\x28" + sum + "\x01\x00" + node, format(wire.NotCanonical)},
		{"difference of what is gone", "\x02\x03\x01\x01k\x21\x01\x00" + node, format(wire.NotCanonical)},
		{"difference in a block", "\x02\x05\x01\x01\x00\x01\x01k\x20\x01\x00" + node + sum + "\x09" + sum + "\x00\x01\x00", format(wire.BadNumber)},
		{"difference without a base", "\x02\x03\x01\x01k\x20\x00\x00" + node + sum + "\x09" + sum + "\x00\x01\x00", format(wire.BadNumber)},
		{"value of 4 GiB", "\x02\x03\x01\x01k\x20\x01\x00" + node + sum + "\x80\x80\x80\x80\x10" + sum + "\x00\x01\x00", format(wire.BadNumber)},
		{"long steps", "\x02\x03\x01\x01k\x20\x01\x00" + node + sum + "\x09" + sum + "\x7f\x01\x00", format(wire.LengthPastEnd)},
		{"lacks in version 1", "\x01\x0b\x01\x05\x00\x00", format(wire.NotCanonical)},
		{"condition 8", "\x02\x0a\x01\x08\x01k\x01", format(wire.BadNumber)},
		{"condition 17", "\x02\x0a\x01\x11\x01k\x01", format(wire.BadNumber)},
		{"bucket 257", "\x01\x04\x01\x81\x02\x00\x01\x01", format(wire.BadNumber)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if m, err := Decode([]byte(tt.in)); !errors.Is(err, tt.want) {
				t.Errorf("Decode = %+v, %v; want %v", m, err, tt.want)
			}
		})
	}
	var v *VersionError
	if _, err := Decode([]byte("\x03\x02")); !errors.As(err, &v) || v.Got != 3 {
		t.Errorf("version 3: %v", err)
	}
	for _, b := range []string{"\x01\x00", "\x01\x10", "\x01\xff"} {
		var k *KindError
		if _, err := Decode([]byte(b)); !errors.As(err, &k) {
			t.Errorf("%q: %v, want a KindError", b, err)
		}
	}
}

// FuzzDecode: any input gives a typed error or a message that is written again byte for
// byte.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		f.Add(Append(nil, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := bytes.Clone(b)
		m, err := Decode(b)
		if !bytes.Equal(in, b) {
			t.Fatal("the input has changed")
		}
		if err == nil {
			if again := Append(nil, m); !bytes.Equal(again, b) {
				t.Fatalf("%x is written as %x", b, again)
			}
			return
		}
		var v *VersionError
		var k *KindError
		var w *wire.FormatError
		if !errors.As(err, &v) && !errors.As(err, &k) && !errors.As(err, &w) {
			t.Fatalf("error of type %T: %v", err, err)
		}
	})
}
