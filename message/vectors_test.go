package message

import (
	"net/netip"
	"testing"

	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
)

type vector struct {
	Name   string
	Hex    golden.Hex
	Fields struct {
		Options   uint32
		Timestamp int64
		UniqueID  golden.Hex
		UniqueIDs []golden.Hex
		Address   memberFields
		Message   golden.Hex
		Data      golden.Hex
	}
	Output []struct { // of a stream
		Chunk              golden.Hex
		DeliveredUniqueIDs []golden.Hex
	}
}

type memberFields struct {
	Host       golden.Hex
	Port       int
	SecurePort int
	UDPPort    int
	AliveTime  int64
	UniqueID   golden.Hex
	Domain     golden.Hex
	Command    golden.Hex
	Payload    golden.Hex
}

func (f *memberFields) member(t testing.TB) *membership.Member {
	t.Helper()
	host, _ := netip.AddrFromSlice(f.Host)
	m, err := membership.New(membership.Attributes{
		Host: host, Port: f.Port, SecurePort: f.SecurePort, UDPPort: f.UDPPort, Alive: f.AliveTime,
		ID: membership.ID(f.UniqueID), Domain: string(f.Domain), Command: string(f.Command), Payload: string(f.Payload),
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// frameVectors are all single frames, that of a broadcast too.
func frameVectors(t testing.TB) []vector {
	t.Helper()
	all := golden.Read[vector](t, "frames.json")
	for _, v := range golden.Read[vector](t, "mcast.json") {
		if v.Name == "mcast-broadcast-message" {
			all = append(all, v)
		}
	}
	if len(all) != 10 {
		t.Fatalf("there are %d vectors of frames, want 10", len(all))
	}
	return all
}

func TestFrameVectors(t *testing.T) {
	for _, v := range frameVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			data, size, err := Scan(v.Hex, 0)
			if err != nil || size != len(v.Hex) {
				t.Fatalf("Scan() = %d bytes, %d, %v, want %d, nil", len(data), size, err, len(v.Hex))
			}
			f, err := ParseFrame(data)
			if err != nil {
				t.Fatalf("ParseFrame() = %v, want nil", err)
			}
			want := v.Fields
			if f.Options != Options(want.Options) || f.Sent != want.Timestamp ||
				string(f.ID) != string(want.UniqueID) || string(f.Message) != string(want.Message) {
				t.Errorf("ParseFrame() = %+v, want %+v", f, want)
			}
			sender, err := f.DecodeSender()
			if err != nil || sender.Attributes() != want.Address.member(t).Attributes() {
				t.Fatalf("DecodeSender() = %v, %v, want %v", sender, err, want.Address.member(t))
			}
			reencode(t, v, &f)
		})
	}
}

// reencode makes the frame of v again from its values.
func reencode(t *testing.T, v vector, f *Frame) {
	t.Helper()
	var p Pool
	m := p.FromFrame(f, v.Fields.Address.member(t), nil)
	defer m.Release()
	if string(m.WireID()) != string(v.Fields.UniqueID) || string(m.Payload()) != string(v.Fields.Message) {
		t.Errorf("FromFrame() has id %x and payload %x, want %x and %x", m.WireID(), m.Payload(), v.Fields.UniqueID, v.Fields.Message)
	}
	// The bit of ours is not part of a message, so one that came with it needs it again.
	if got := AppendFrame(nil, m, f.Options&NumberedAcks); string(got) != string(v.Hex) || FrameSize(m) != len(got) {
		t.Errorf("AppendFrame() = %x of FrameSize %d, want %x", got, FrameSize(m), v.Hex)
	}
}

// A message that was never a frame must make the same bytes.
func TestFrameVectorsFromScratch(t *testing.T) {
	var p Pool
	for _, v := range frameVectors(t) {
		if len(v.Fields.UniqueID) != len(ID{}) {
			continue // nobody here makes such ids
		}
		m := p.New(len(v.Fields.Message))
		copy(m.Payload(), v.Fields.Message)
		m.ID, m.Sent, m.Options = ID(v.Fields.UniqueID), v.Fields.Timestamp, Options(v.Fields.Options)
		m.Source = v.Fields.Address.member(t)
		if got := AppendFrame([]byte("before"), m, 0); string(got) != "before"+string(v.Hex) {
			t.Errorf("%s: AppendFrame() = %x, want %x", v.Name, got, v.Hex)
		}
		m.Release()
	}
}

func TestTwoFramesInOneDatagram(t *testing.T) {
	for _, v := range golden.Read[vector](t, "mcast.json") {
		if v.Name != "mcast-two-frames" {
			continue
		}
		ids, rest, err := scanAll(v.Hex)
		if err != nil || len(rest) != 0 || !sameIDs(ids, v.Fields.UniqueIDs) {
			t.Errorf("frames = %x, rest %x, %v, want %x", ids, rest, err, v.Fields.UniqueIDs)
		}
		return
	}
	t.Error("there is no vector mcast-two-frames")
}

// scanAll returns the message ids of all frames in b and what is left over.
func scanAll(b []byte) (ids []golden.Hex, rest []byte, err error) {
	for {
		data, size, err := Scan(b, 0)
		if err != nil || data == nil {
			return ids, b, err
		}
		f, err := ParseFrame(data)
		if err != nil {
			return ids, b, err
		}
		ids = append(ids, f.ID)
		b = b[size:]
	}
}

func sameIDs(a, b []golden.Hex) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if string(a[i]) != string(b[i]) {
			return false
		}
	}
	return true
}

// The two well-formed streams are read as Tribes reads them. In the others
// Tribes skips garbage or wedges; we close the connection at the first byte that
// is wrong, after the frames before it.
func TestStreamVectors(t *testing.T) {
	damaged := map[string]FormatError{
		"stream-garbage-then-frame":            {Reason: wire.BadMagic, Offset: 0},
		"stream-garbage-and-frame-in-one-read": {Reason: wire.BadMagic, Offset: 0},
		"stream-short-garbage":                 {Reason: wire.BadMagic, Offset: 0},
		"stream-bad-footer":                    {Reason: wire.BadEnd, Offset: 138},
		"stream-negative-length":               {Reason: wire.BadLength, Offset: 7},
	}
	for _, v := range golden.Read[vector](t, "streams.json") {
		t.Run(v.Name, func(t *testing.T) {
			want, bad := damaged[v.Name]
			delete(damaged, v.Name)
			var buffered []byte
			for i, read := range v.Output {
				ids, rest, err := scanAll(append(buffered, read.Chunk...))
				if bad {
					if fe, ok := err.(*FormatError); !ok || *fe != want || len(ids) != 0 {
						t.Errorf("read %d gives %x, %v, want no frame and %v", i, ids, err, &want)
					}
					return // closed
				}
				if err != nil || !sameIDs(ids, read.DeliveredUniqueIDs) {
					t.Errorf("read %d gives %x, %v, want %x", i, ids, err, read.DeliveredUniqueIDs)
				}
				buffered = rest
			}
			if len(buffered) != 0 {
				t.Errorf("%x is left over, want nothing", buffered)
			}
		})
	}
	for name := range damaged {
		t.Errorf("there is no vector %s", name)
	}
}

func TestAckVectors(t *testing.T) {
	want := map[string]struct {
		frame string
		kind  ReplyKind
	}{"ack": {AckFrame, PlainAck}, "fail-ack": {FailAckFrame, PlainFailAck}}
	for _, v := range golden.Read[vector](t, "acks.json") {
		w := want[v.Name]
		if string(v.Hex) != w.frame {
			t.Errorf("%s is %x, want %x", v.Name, w.frame, v.Hex)
		}
		data, size, err := Scan(v.Hex, 0)
		if err != nil || size != len(v.Hex) || string(data) != string(v.Fields.Data) {
			t.Errorf("Scan(%s) = %x, %d, %v, want %x, %d, nil", v.Name, data, size, err, v.Fields.Data, len(v.Hex))
		}
		var r Reply
		if err := ParseReply(data, &r); err != nil || r.Kind != w.kind {
			t.Errorf("ParseReply(%s) = %v, %v, want kind %d", v.Name, r.Kind, err, w.kind)
		}
		if _, err := ParseFrame(data); err == nil {
			t.Errorf("ParseFrame(%s) = nil, want an error", v.Name)
		}
	}
}
