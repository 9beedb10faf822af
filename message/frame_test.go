package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

func newMember(t testing.TB, n byte, edit func(a *membership.Attributes)) *membership.Member {
	t.Helper()
	a := membership.Attributes{
		Host: netip.AddrFrom4([4]byte{10, 0, 0, n}), Port: 4000,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.ID{n},
	}
	if edit != nil {
		edit(&a)
	}
	m, err := membership.New(a)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// newFrame is the frame of a message "hello" from member 1, whose image has 77
// bytes.
func newFrame(t testing.TB) []byte {
	t.Helper()
	var p Pool
	m := p.New(5)
	defer m.Release()
	copy(m.Payload(), "hello")
	m.ID, m.Sent, m.Options, m.Source = ID{1, 2, 3}, 1700000000123, ByteMessage|Sync, newMember(t, 1, nil)
	return AppendFrame(nil, m, 0)
}

func edited(t *testing.T, edit func(b []byte) []byte) []byte {
	t.Helper()
	return edit(newFrame(t))
}

// put overwrites 32 bits at an offset.
func put(at int, v int32) func(b []byte) []byte {
	return func(b []byte) []byte {
		binary.BigEndian.PutUint32(b[at:], uint32(v))
		return b
	}
}

func TestScan(t *testing.T) {
	frame := newFrame(t)
	size := len(frame)
	tests := []struct {
		name  string
		in    string
		limit int
		data  bool
		size  int
		err   *FormatError
	}{
		{name: "nothing"},
		{name: "half a magic", in: "FLT"},
		{name: "magic alone", in: startMagic},
		{name: "half a length", in: startMagic + "\x00\x00\x00"},
		{name: "head", in: startMagic + "\x00\x00\x00\x05", size: 23},
		{name: "one byte missing", in: string(frame[:size-1]), size: size},
		{name: "frame", in: string(frame), data: true, size: size},
		{name: "frame and more", in: string(frame) + "FLT", data: true, size: size},
		{name: "frame and garbage", in: string(frame) + "garbage", data: true, size: size},
		{name: "frame without data", in: startMagic + "\x00\x00\x00\x00" + endMagic, data: true, size: 18},
		{name: "frame of the limit", in: string(frame), limit: size, data: true, size: size},
		{name: "length of the limit", in: startMagic + "\x04\x00\x00\x00", limit: 0x04000000 + 18, size: 0x04000000 + 18},

		{name: "random byte", in: "x", err: &FormatError{Reason: wire.BadMagic}},
		{name: "HTTP", in: "GET / HTTP/1.1\r\n\r\n", err: &FormatError{Reason: wire.BadMagic}},
		{name: "TLS", in: "\x16\x03\x01\x02\x00\x01\x00", err: &FormatError{Reason: wire.BadMagic}},
		{name: "last byte of the magic", in: "FLT2003", err: &FormatError{Reason: wire.BadMagic}},
		{name: "end magic first", in: endMagic, err: &FormatError{Reason: wire.BadMagic}},
		{name: "length above the limit", in: string(frame[:headSize]), limit: size - 1, err: &FormatError{Reason: wire.TooLarge, Offset: 7}},
		{name: "length above the default limit", in: startMagic + "\x04\x00\x00\x00", err: &FormatError{Reason: wire.TooLarge, Offset: 7}},
		{name: "largest length", in: startMagic + "\x7f\xff\xff\xff", err: &FormatError{Reason: wire.TooLarge, Offset: 7}},
		{name: "length of the largest limit", in: startMagic + "\x7f\xff\xff\xed", limit: math.MaxInt32, size: math.MaxInt32},
		{name: "length -1", in: startMagic + "\xff\xff\xff\xff", err: &FormatError{Reason: wire.BadLength, Offset: 7}},
		{name: "lowest length", in: startMagic + "\x80\x00\x00\x00", err: &FormatError{Reason: wire.BadLength, Offset: 7}},
		{name: "limit below the smallest frame", in: startMagic + "\x00\x00\x00\x00", limit: 1, err: &FormatError{Reason: wire.TooLarge, Offset: 7}},
		{name: "end magic damaged", in: string(frame[:size-1]) + "x", err: &FormatError{Reason: wire.BadEnd, Offset: size - 7}},
		{name: "length too small by one", in: string(edited(t, put(7, int32(size-19)))), err: &FormatError{Reason: wire.BadEnd, Offset: size - 8}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, size, err := Scan([]byte(tt.in), tt.limit)
			if tt.err != nil {
				if fe, ok := err.(*FormatError); !ok || *fe != *tt.err || data != nil || size != 0 {
					t.Errorf("Scan() = %x, %d, %v, want %v", data, size, err, tt.err)
				}
				return
			}
			if err != nil || size != tt.size || (data != nil) != tt.data {
				t.Errorf("Scan() = %x, %d, %v, want size %d, data %v", data, size, err, tt.size, tt.data)
			}
			if tt.data && (string(data) != tt.in[headSize:size-len(endMagic)] || cap(data) != len(data)) {
				t.Errorf("Scan() data = %x, want what is between the head and the end, and no room behind", data)
			}
		})
	}
}

// offset of the fields in the frame of newFrame.
const (
	idAt      = 23
	senderAt  = 43
	messageAt = 124
)

func TestParseFrameErrors(t *testing.T) {
	long := func(id, sender int) []byte { // the data of a frame with such lengths
		b := append([]byte(nil), newFrame(t)[headSize:idAt]...)
		b = wire.Sized(b, strings.Repeat("i", id))
		return wire.Sized(wire.Sized(b, strings.Repeat("s", sender)), "message")
	}
	whole := func(edit func(b []byte) []byte) []byte {
		b := edited(t, edit)
		return b[headSize : len(b)-len(endMagic)]
	}
	tests := []struct {
		name   string
		data   []byte
		reason wire.Reason
		offset int
	}{
		{"nothing", nil, wire.LengthMismatch, 11},
		{"an ack", []byte(ackData), wire.LengthMismatch, 11},
		{"options alone", make([]byte, 4), wire.LengthMismatch, 15},
		{"half a time", make([]byte, 11), wire.LengthMismatch, 15},
		{"no id length", make([]byte, 12), wire.LengthMismatch, 23},
		{"zeros", make([]byte, 24), wire.NoSender, 27},
		{"id length -1", whole(put(idAt, -1)), wire.BadLength, idAt},
		{"id length past the end", whole(put(idAt, 107)), wire.LengthPastEnd, idAt},
		{"id length of the largest number", whole(put(idAt, math.MaxInt32)), wire.LengthPastEnd, idAt},
		{"id over the sender", whole(put(idAt, 20)), wire.LengthPastEnd, 47},
		{"id too long", long(MaxID+1, 77), wire.TooLarge, idAt},
		{"sender length 0", whole(put(senderAt, 0)), wire.NoSender, senderAt},
		{"sender length -1", whole(put(senderAt, -1)), wire.BadLength, senderAt},
		{"sender length past the end", whole(put(senderAt, 87)), wire.LengthPastEnd, senderAt},
		{"sender too long", long(16, membership.MaxImage+1), wire.TooLarge, senderAt},
		{"sender up to the end", whole(put(senderAt, 86)), wire.LengthMismatch, 133},
		{"message length -1", whole(put(messageAt, -1)), wire.BadLength, messageAt},
		{"message length past the end", whole(put(messageAt, 6)), wire.LengthPastEnd, messageAt},
		{"message length too small", whole(put(messageAt, 4)), wire.TrailingBytes, 132},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := ParseFrame(tt.data)
			want := FormatError{Reason: tt.reason, Offset: tt.offset}
			if fe, ok := err.(*FormatError); !ok || *fe != want {
				t.Errorf("ParseFrame() = %v, want %v", err, &want)
			}
			if f.ID != nil || f.Sender != nil || f.Message != nil {
				t.Errorf("ParseFrame() with an error = %+v, want nothing", f)
			}
		})
	}
	if f, err := ParseFrame(long(MaxID, membership.MaxImage)); err != nil || len(f.ID) != MaxID || len(f.Sender) != membership.MaxImage {
		t.Errorf("ParseFrame of the longest id and sender = %v, want nil", err)
	}
}

func TestDecodeSenderErrors(t *testing.T) {
	image := []byte(newMember(t, 1, nil).Image())
	tests := []struct {
		name   string
		sender []byte
		reason wire.Reason
		offset int // from the beginning of the sender
	}{
		{"no image", []byte("x"), wire.BadMagic, 0},
		{"cut", image[:50], wire.Truncated, 50},
		{"bad port", put(22, 65536)(bytes.Clone(image)), wire.BadPort, 22},
		{"bytes behind", append(bytes.Clone(image), 'x'), wire.TrailingBytes, 77},
		{"two images", append(bytes.Clone(image), image...), wire.TrailingBytes, 77},
	}
	for _, tt := range tests {
		for _, id := range []string{"", "123", strings.Repeat("x", 16)} {
			t.Run(tt.name, func(t *testing.T) {
				b := append(make([]byte, 12), wire.Sized(nil, id)...)
				b = wire.Sized(wire.Sized(b, tt.sender), "message")
				f, err := ParseFrame(b)
				if err != nil {
					t.Fatalf("ParseFrame() = %v, want nil", err)
				}
				m, err := f.DecodeSender()
				want := FormatError{Reason: tt.reason, Offset: 11 + 12 + 4 + len(id) + 4 + tt.offset}
				if fe, ok := err.(*FormatError); !ok || *fe != want || m != nil {
					t.Errorf("DecodeSender() = %v, %v, want %v", m, err, &want)
				}
			})
		}
	}
}

func TestHeadAndEndMakeAFrame(t *testing.T) {
	var p Pool
	m := p.New(3)
	defer m.Release()
	copy(m.Payload(), "abc")
	m.Source, m.Options = newMember(t, 1, nil), UseAck
	b := AppendHead(nil, m, NumberedAcks)
	b = append(b, m.Payload()...)
	b = AppendEnd(b)
	if want := AppendFrame(nil, m, NumberedAcks); !bytes.Equal(b, want) {
		t.Errorf("head, payload and end = %x, want %x", b, want)
	}
	data, _, _ := Scan(b, 0)
	f, err := ParseFrame(data)
	if err != nil || f.Options != UseAck|NumberedAcks {
		t.Errorf("options in the frame = %v, %v, want %v", f.Options, err, UseAck|NumberedAcks)
	}
}

func TestFromFrame(t *testing.T) {
	source := newMember(t, 1, nil)
	ids := []string{"", "123", strings.Repeat("i", 15), strings.Repeat("i", 16), strings.Repeat("i", 17), strings.Repeat("i", MaxID)}
	for _, id := range ids {
		for _, inChunk := range []bool{true, false} {
			var p Pool
			chunk := p.Get(100)
			copy(chunk.Bytes(), "hello, world")
			f := &Frame{Options: Sync | NumberedAcks | 0x0100_0000, Sent: 1500, ID: []byte(id), Message: chunk.Bytes()[:5]}
			use := chunk
			if !inChunk {
				use = nil
			}
			m := p.FromFrame(f, source, use)
			if m.WireID() != id || m.Source != source || m.Sent != 1500 || m.Options != Sync|0x0100_0000 || string(m.Payload()) != "hello" {
				t.Errorf("FromFrame(id of %d bytes) = id %q, %+v, payload %q", len(id), m.WireID(), m, m.Payload())
			}
			var want ID
			copy(want[:], id)
			if m.ID != want {
				t.Errorf("ID of a message whose id has %d bytes = %s, want %s", len(id), m.ID, want)
			}
			if chunk.Shared() != inChunk {
				t.Errorf("the chunk is shared: %v, want %v", chunk.Shared(), inChunk)
			}
			data, _, err := Scan(AppendFrame(nil, m, 0), 0)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParseFrame(data); err != nil || string(again.ID) != id {
				t.Errorf("the id of %d bytes became %q, %v", len(id), again.ID, err)
			}
			m.Release()
			chunk.Release()
		}
	}
}

func TestSentTime(t *testing.T) {
	m := Message{Sent: 1700000000123}
	if got, want := m.SentTime(), time.UnixMilli(1700000000123); !got.Equal(want) {
		t.Errorf("SentTime() = %v, want %v", got, want)
	}
}

// Any frame that is taken must be made again with the same bytes.
func checkFrame(t *testing.T, b []byte) {
	t.Helper()
	data, size, err := Scan(b, 0)
	if err != nil || data == nil {
		var fe *FormatError
		if err != nil && (!errors.As(err, &fe) || fe.Offset < 0 || fe.Offset > len(b)) {
			t.Fatalf("Scan(%x) = %#v, want a *FormatError inside of the input", b, err)
		}
		if data != nil || size != 0 && size <= len(b) {
			t.Fatalf("Scan(%x) = %x, %d, %v: a whole frame and no data", b, data, size, err)
		}
		return
	}
	if size > len(b) || len(data) != size-frameRest {
		t.Fatalf("Scan(%x) = %d bytes of data, size %d", b, len(data), size)
	}
	checkData(t, data)
}

// checkData does so for the data of a frame.
func checkData(t *testing.T, data []byte) {
	t.Helper()
	f, err := ParseFrame(data)
	var sender *membership.Member
	if err == nil {
		sender, err = f.DecodeSender()
	}
	if err != nil {
		fe, ok := err.(*FormatError)
		if !ok || fe.Offset < headSize || fe.Offset > headSize+len(data) || fe.Reason == 0 || fe.Reason >= wire.NumReasons {
			t.Fatalf("ParseFrame(%x) = %#v, want a *FormatError inside of the frame", data, err)
		}
		return
	}
	sender, err = membership.New(sender.Attributes())
	if err != nil {
		t.Fatalf("New of the sender in %x = %v, want nil", data, err)
	}
	var p Pool
	m := p.FromFrame(&f, sender, nil)
	defer m.Release()
	got := AppendFrame(nil, m, f.Options&NumberedAcks)
	if want := startMagic + string(wire.Sized(nil, data)) + endMagic; string(got) != want {
		t.Fatalf("AppendFrame() = %x, want %x", got, want)
	}
}
