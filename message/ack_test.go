package message

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gotribes/tribes/internal/wire"
)

var numberedAcks = map[string]Reply{
	"nothing settled": {Kind: NumberedAck},
	"all up to":       {Kind: NumberedAck, Caps: 0xdeadbeef, UpTo: math.MaxUint64},
	"one refused":     {Kind: NumberedAck, UpTo: 7, Settled: []Settled{{7, Refused, "the disk is full"}}},
	"several": {Kind: NumberedAck, Caps: 1, UpTo: 2, Settled: []Settled{
		{1, Refused, ""}, {4, Acknowledged, ""}, {5, Refused, strings.Repeat("r", MaxReason)}, {math.MaxUint64, Acknowledged, ""},
	}},
}

func TestNumberedAckRoundTrip(t *testing.T) {
	for name, want := range numberedAcks {
		t.Run(name, func(t *testing.T) {
			b := AppendNumberedAck([]byte("before"), want.Caps, want.UpTo, want.Settled)[len("before"):]
			data, size, err := Scan(b, 0)
			if err != nil || data == nil || size != len(b) {
				t.Fatalf("Scan() = %x, %d, %v, want the whole", data, size, err)
			}
			got := Reply{Settled: []Settled{{99, Refused, "of the last one"}}}
			if err := ParseReply(data, &got); err != nil {
				t.Fatalf("ParseReply() = %v, want nil", err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("ParseReply() differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNumberedAckBytes(t *testing.T) {
	got := AppendNumberedAck(nil, 2, 3, []Settled{{5, Refused, "no"}, {6, Acknowledged, ""}})
	want := startMagic + "\x00\x00\x00\x2b" + "GoTA\x01" + "\x00\x00\x00\x02" + "\x00\x00\x00\x00\x00\x00\x00\x03" + "\x00\x00\x00\x02" +
		"\x00\x00\x00\x00\x00\x00\x00\x05\x02\x02no" + "\x00\x00\x00\x00\x00\x00\x00\x06\x01\x00" + endMagic
	if string(got) != want {
		t.Errorf("AppendNumberedAck() = %x, want %x", got, want)
	}
}

// What is too long is cut, and an outcome that is no success is never told as one.
func TestNumberedAckIsCareful(t *testing.T) {
	settled := []Settled{{1, Refused, strings.Repeat("x", MaxReason+1)}, {2, 0, ""}, {3, Unknown, ""}, {4, NotSent, ""}, {5, Written, ""}}
	data, _, err := Scan(AppendNumberedAck(nil, 0, 0, settled), 0)
	if err != nil {
		t.Fatal(err)
	}
	var r Reply
	if err := ParseReply(data, &r); err != nil {
		t.Fatalf("ParseReply() = %v, want nil", err)
	}
	for i, s := range r.Settled {
		if s.Outcome != Refused || len(s.Reason) > MaxReason {
			t.Errorf("entry %d = %v with a reason of %d bytes, want %v and at most %d", i, s.Outcome, len(s.Reason), Refused, MaxReason)
		}
	}
}

func TestNumberedAckOfTheLargest(t *testing.T) {
	settled := make([]Settled, MaxSettled)
	for i := range settled {
		settled[i] = Settled{Number: uint64(i + 1), Outcome: Acknowledged}
	}
	data, _, err := Scan(AppendNumberedAck(nil, 0, 0, settled), 0)
	if err != nil {
		t.Fatal(err)
	}
	var r Reply
	if err := ParseReply(data, &r); err != nil || len(r.Settled) != MaxSettled {
		t.Errorf("ParseReply() = %d entries, %v, want %d", len(r.Settled), err, MaxSettled)
	}
}

func TestParseReplyErrors(t *testing.T) {
	const head = "GoTA\x01" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x09"
	entry := func(rest string) string { return head + "\x00\x00\x00\x01" + rest }
	tests := []struct {
		name, data string
		reason     wire.Reason
		offset     int
	}{
		{"nothing", "", wire.LengthMismatch, 11},
		{"one byte", "\x06", wire.BadAck, 11},
		{"other code", "\x06\x02\x04", wire.BadAck, 11},
		{"ack and more", ackData + "\x00", wire.BadAck, 11},
		{"half a magic", "GoT", wire.LengthMismatch, 11},
		{"no version", "GoTA", wire.LengthMismatch, 15},
		{"version 2", "GoTA\x02" + head[5:] + "\x00\x00\x00\x00", wire.BadAck, 15},
		{"no caps", "GoTA\x01", wire.LengthMismatch, 16},
		{"half a number", head[:12], wire.LengthMismatch, 20},
		{"no count", head, wire.LengthMismatch, 28},
		{"count -1", head + "\xff\xff\xff\xff", wire.BadLength, 28},
		{"count above the limit", head + "\x00\x00\x40\x01", wire.TooLarge, 28},
		{"largest count", head + "\x7f\xff\xff\xff", wire.TooLarge, 28},
		{"count of what is not there", head + "\x00\x00\x00\x01", wire.LengthPastEnd, 28},
		{"count too small", head + "\x00\x00\x00\x00" + "x", wire.TrailingBytes, 32},
		{"number 0", entry("\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00"), wire.BadNumber, 32},
		{"outcome 0", entry("\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"), wire.BadAck, 40},
		{"outcome 3", entry("\x00\x00\x00\x00\x00\x00\x00\x01\x03\x00"), wire.BadAck, 40},
		{"reason past the end", entry("\x00\x00\x00\x00\x00\x00\x00\x01\x02\x02x"), wire.LengthMismatch, 42},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Reply{Kind: PlainAck, UpTo: 5}
			err := ParseReply([]byte(tt.data), &r)
			want := FormatError{Reason: tt.reason, Offset: tt.offset}
			if fe, ok := err.(*FormatError); !ok || *fe != want {
				t.Errorf("ParseReply() = %v, want %v", err, &want)
			}
			if r.Kind != 0 || r.UpTo != 0 || len(r.Settled) != 0 {
				t.Errorf("ParseReply() with an error left %+v, want nothing", r)
			}
		})
	}
}

func TestReplyString(t *testing.T) {
	tests := []struct {
		reply Reply
		want  string
	}{
		{Reply{Kind: PlainAck}, "ack"},
		{Reply{Kind: PlainFailAck}, "fail-ack"},
		{Reply{Kind: NumberedAck, UpTo: 9, Settled: make([]Settled, 2)}, "ack up to 9 and 2 single"},
		{Reply{}, "no reply"},
	}
	for _, tt := range tests {
		if got := tt.reply.String(); got != tt.want {
			t.Errorf("String() = %q, want %q", got, tt.want)
		}
	}
}

// checkReply fails the test if ParseReply of data gives anything but a
// *FormatError within the frame or a reply that encodes to the same bytes.
func checkReply(t *testing.T, data []byte) {
	t.Helper()
	var r Reply
	if err := ParseReply(data, &r); err != nil {
		fe, ok := err.(*FormatError)
		if !ok || fe.Offset < headSize || fe.Offset > headSize+len(data) || fe.Reason == 0 || fe.Reason >= wire.NumReasons {
			t.Fatalf("ParseReply(%x) = %#v, want a *FormatError inside of the frame", data, err)
		}
		return
	}
	var got []byte
	switch r.Kind {
	case PlainAck:
		got = []byte(AckFrame)
	case PlainFailAck:
		got = []byte(FailAckFrame)
	case NumberedAck:
		got = AppendNumberedAck(nil, r.Caps, r.UpTo, r.Settled)
	}
	if want := AppendEnd(wire.Sized([]byte(startMagic), data)); !bytes.Equal(got, want) {
		t.Fatalf("ParseReply(%x) = %+v, which is %x", data, r, got)
	}
}

func TestCaps(t *testing.T) {
	both := CapZstd | CapS2
	if !both.Has(CapS2) || !both.Has(both) || !Caps(0).Has(0) || CapZstd.Has(both) || Caps(0).Has(CapS2) {
		t.Error("Has is wrong")
	}
}
