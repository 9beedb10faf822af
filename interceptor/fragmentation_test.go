package interceptor

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func newFragmentation(tb testing.TB, f *Fragmentation, cfg interceptortest.Config) *interceptortest.Harness {
	tb.Helper()
	h := interceptortest.New(tb, cfg, f)
	h.Start()
	return h
}

// fragment is a part as it travels.
func fragment(content []byte, index, count int) []byte {
	b := binary.BigEndian.AppendUint32(bytes.Clone(content), uint32(index))
	b = binary.BigEndian.AppendUint32(b, uint32(count))
	return append(b, 1)
}

// fragments are all parts of content.
func fragments(content []byte, size int) [][]byte {
	count := (len(content) + size - 1) / size
	var all [][]byte
	for i := range count {
		all = append(all, fragment(content[i*size:min((i+1)*size, len(content))], i, count))
	}
	return all
}

// arrival is a message on its way in.
type arrival struct {
	from    *membership.Member
	id      message.ID
	payload []byte
	options message.Options
}

func (a arrival) at(h *interceptortest.Harness) error {
	m := h.Message(a.payload, a.options)
	defer m.Release()
	m.ID, m.Source = a.id, a.from
	return h.Deliver(context.Background(), m)
}

// arriveParts lets parts of one message come from peer and fails the test unless
// all are taken.
func arriveParts(t *testing.T, h *interceptortest.Harness, id message.ID, parts ...[]byte) {
	t.Helper()
	for i, p := range parts {
		if err := (arrival{peer, id, p, message.ByteMessage}).at(h); err != nil {
			t.Errorf("Receive of the part that came as number %d = %v, want nil", i, err)
		}
	}
}

// The frames of a real node, both ways.
func TestFragmentationVectorsFromTribes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		size  int
		count int
	}{
		{"fragment-three", 50, 3},
		{"fragment-none", 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := loadVector(t, tt.name)
			if len(v.frames) != tt.count {
				t.Fatalf("the vector has %d frames, want %d", len(v.frames), tt.count)
			}
			first, local := parse(t, v.frames[0].bytes)
			h := newFragmentation(t, &Fragmentation{MaxSize: tt.size, MinSize: -1}, interceptortest.Config{Local: local})
			m := h.Message(v.input[0], message.ByteMessage)
			m.ID, m.Sent = message.ID(first.ID), first.Sent
			r := message.NewReceipt(1, nil)
			if err := h.SendMessage(context.Background(), one(peer), m, r); err != nil {
				t.Fatalf("Send = %v, want nil", err)
			}
			m.Release()
			<-r.Done()
			sent := h.Bottom.Sent()
			if len(sent) != len(v.frames) {
				t.Fatalf("%d frames were handed down, want %d", len(sent), len(v.frames))
			}
			for i, s := range sent {
				if d := cmp.Diff(v.frames[i].bytes, message.AppendFrame(nil, s.Message, 0)); d != "" {
					t.Errorf("frame %d differs (-want +got):\n%s", i, d)
				}
			}
			for i, frame := range v.frames {
				if err := arrive(t, h, frame.bytes); err != nil {
					t.Errorf("Receive of frame %d = %v, want nil", i, err)
				}
			}
			got := h.Top.Received()
			if len(got) != 1 || !bytes.Equal(got[0].Payload(), v.input[0]) {
				t.Errorf("delivered: %v, want the message of the vector once", got)
			}
		})
	}
}

// However the parts come, the message is the same.
func TestFragmentationPutsPartsTogether(t *testing.T) {
	for _, size := range []int{129, 1000, 12_345, 300_000, 2 << 20} {
		for _, order := range []string{"in order", "backwards", "shuffled", "twice"} {
			content := noise(size)
			parts := fragments(content, 128)
			if size > 100_000 {
				parts = fragments(content, 10_000)
			}
			switch order {
			case "backwards":
				for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
					parts[i], parts[j] = parts[j], parts[i]
				}
			case "shuffled":
				rand.New(rand.NewPCG(1, uint64(size))).Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			case "twice":
				last := len(parts) - 1
				parts = append(append([][]byte{}, parts[:last]...), parts...)
			}
			f := new(Fragmentation)
			h := newFragmentation(t, f, interceptortest.Config{})
			arriveParts(t, h, message.NewID(), parts...)
			got := h.Top.Received()
			if len(got) != 1 || !bytes.Equal(got[0].Payload(), content) {
				t.Errorf("%d bytes in %d parts, %s: %d messages, want the one that was sent", size, len(parts), order, len(got))
			}
			if st := f.Stats(); st.Gathering != 0 || st.HeldBytes != 0 || st.Assembled != 1 || st.Refused != 0 {
				t.Errorf("Stats() = %+v, want one message put together and nothing kept", st)
			}
		}
	}
}

// A receiver that acknowledges parts before it processes them must not process two of one
// message at the same time.
func TestFragmentationPartsAreProcessedInTurn(t *testing.T) {
	const all = message.UseAck | message.SyncAck
	for _, tt := range []struct {
		name       string
		flights    int
		options    message.Options
		want, last message.Options
	}{
		{"acked", 0, message.UseAck, all, message.UseAck},
		{"processed", 0, all, all, all},
		{"not acked", 0, 0, 0, 0},
		{"several at a time", 2, message.UseAck, message.UseAck, message.UseAck},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFragmentation(t, &Fragmentation{MaxSize: 1000, InFlight: tt.flights}, interceptortest.Config{})
			m := h.Message(noise(2500), tt.options)
			defer m.Release()
			r := message.NewReceipt(1, nil)
			if err := h.SendMessage(t.Context(), []*membership.Member{peer}, m, r); err != nil {
				t.Fatal(err)
			}
			<-r.Done()
			var got []message.Options
			for _, s := range h.Bottom.Sent() {
				got = append(got, s.Message.Options&all)
			}
			if diff := cmp.Diff([]message.Options{tt.want, tt.want, tt.last}, got); diff != "" {
				t.Errorf("options of the parts (-want +got):\n%s", diff)
			}
		})
	}
}

// Tribes gathers parts by the message id alone, and so mixes what it should not.
func TestFragmentationDoesNotMix(t *testing.T) {
	id := message.NewID()
	a, b := []byte(strings.Repeat("a", 300)), []byte(strings.Repeat("b", 300))
	other := interceptortest.Member(3)
	restarted := interceptortest.MemberAt(peer.AddrPort(), 9)
	tests := []struct {
		name   string
		first  arrival
		second arrival
	}{
		{"senders", arrival{peer, id, nil, message.ByteMessage}, arrival{other, id, nil, message.ByteMessage}},
		{"restarted sender", arrival{peer, id, nil, message.ByteMessage}, arrival{restarted, id, nil, message.ByteMessage}},
		{"ids", arrival{peer, id, nil, message.ByteMessage}, arrival{peer, message.NewID(), nil, message.ByteMessage}},
		{"tls and not", arrival{peer, id, nil, message.ByteMessage | message.Secure}, arrival{peer, id, nil, message.ByteMessage}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newFragmentation(t, new(Fragmentation), interceptortest.Config{})
			x, y := fragments(a, 128), fragments(b, 128)
			for i := range x {
				for _, come := range []struct {
					arrival
					part []byte
				}{{tt.first, x[i]}, {tt.second, y[i]}} {
					come.arrival.payload = come.part
					if err := come.arrival.at(h); err != nil {
						t.Fatal(err)
					}
				}
			}
			got := h.Top.Received()
			if len(got) != 2 || !bytes.Equal(got[0].Payload(), a) || !bytes.Equal(got[1].Payload(), b) {
				t.Errorf("delivered: %q, want both messages, each as it was sent", delivered(h))
			}
		})
	}
}

// What makes no sense is dropped and told, and hurts nothing else.
func TestFragmentationDropsWhatMakesNoSense(t *testing.T) {
	content := noise(300)
	good := fragments(content, 128)
	tests := []struct {
		name   string
		before int // good parts that have come
		bad    []byte
		reason string
	}{
		{"nothing", 0, nil, "too short for a trailer"},
		{"a mark alone", 0, []byte{1}, "too short for a trailer"},
		{"half a trailer", 0, []byte{0, 0, 0, 1, 1}, "too short for a trailer"},
		{"index is count", 1, fragment(noise(128), 3, 3), "an index out of range"},
		{"index beyond", 1, fragment(noise(128), 1<<20, 3), "an index out of range"},
		{"negative index", 1, fragment(noise(128), -1, 3), "an index out of range"},
		{"negative count", 1, fragment(noise(128), 0, -3), "an index out of range"},
		{"no parts", 1, fragment(noise(128), 0, 0), "an index out of range"},
		{"empty part", 1, fragment(nil, 1, 3), "a part that is too small"},
		{"empty last part", 1, fragment(nil, 2, 3), "a part that is too small"},
		{"small part", 0, fragment(noise(127), 0, 3), "a part that is too small"},
		{"promises 2 GiB in small parts", 0, fragment(noise(128), 0, 1<<24), "a message that would be too large"},
		{"promises 2^31 parts", 0, fragment(noise(128), 5, 1<<31-1), "a message that would be too large"},
		{"promises as the last part", 0, fragment(noise(128), 1<<30, 1<<30+1), "a message that would be too large"},
		{"another count", 1, fragment(noise(128), 1, 4), "another count of parts than before"},
		{"another length", 1, fragment(noise(129), 1, 3), "another length of parts than before"},
		{"last is longer", 1, fragment(noise(129), 2, 3), "another length of parts than before"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := new(recorder)
			f := new(Fragmentation)
			h := newFragmentation(t, f, rec.config())
			id := message.NewID()
			arriveParts(t, h, id, good[:tt.before]...)
			err := (arrival{peer, id, tt.bad, message.ByteMessage}).at(h)
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("Receive = %v, want an error with %q", err, tt.reason)
			}
			if got := rec.drops(); len(got) != 1 || got[0] != "Fragmentation: "+tt.reason {
				t.Errorf("the trace was told %q, want %q", got, tt.reason)
			}
			arriveParts(t, h, id, good[tt.before:]...)
			if got := h.Top.Received(); len(got) != 1 || !bytes.Equal(got[0].Payload(), content) {
				t.Error("the message with the good parts was not delivered")
			}
			if st := f.Stats(); st.Refused != 1 || st.HeldBytes != 0 {
				t.Errorf("Stats() = %+v, want one part refused and nothing kept", st)
			}
		})
	}
}

// The latest of two parts with one index counts: a message that is sent again, with
// another number of Order in it, must not be made of both.
func TestFragmentationTakesTheLatestPart(t *testing.T) {
	old, fresh := []byte(strings.Repeat("o", 1000)), []byte(strings.Repeat("f", 1000))
	h := newFragmentation(t, new(Fragmentation), interceptortest.Config{})
	id := message.NewID()
	x, y := fragments(old, 128), fragments(fresh, 128)
	arriveParts(t, h, id, x[:5]...)
	arriveParts(t, h, id, y...)
	if got := delivered(h); got != string(fresh) {
		t.Errorf("delivered: %q, want what was sent last", got)
	}
}

func TestFragmentationSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *Fragmentation
		want  []string // what the error names
	}{
		{"zero", new(Fragmentation), nil},
		{"all given", &Fragmentation{OptionFlag: 0x1000, MaxSize: 500, MinSize: 500, Expire: time.Second, MaxBytes: 10_000, MaxSenderBytes: 5000, MaxMessages: 1, InFlight: 1024}, nil},
		{"no bounds", &Fragmentation{MinSize: -1, MaxBytes: -1, MaxSenderBytes: -1, MaxMessages: -1}, nil},
		{"as small as in the vectors", &Fragmentation{MaxSize: 40, MinSize: -1}, nil},
		{"less in all than the default of a sender", &Fragmentation{MaxBytes: 1 << 20}, nil},
		{"everything wrong", &Fragmentation{OptionFlag: message.Multicast, MaxSize: 100, Expire: time.Millisecond, MaxBytes: 500, MaxSenderBytes: 600},
			[]string{"OptionFlag", "MaxSize 100: want at least MinSize, 128", "Expire 1ms", "MaxSenderBytes 600: want at most MaxBytes, 500", "want room for MaxSize"}},
		{"too many in flight", &Fragmentation{InFlight: 1025}, []string{"InFlight 1025"}},
		{"negative size", &Fragmentation{MaxSize: -1}, []string{"MaxSize -1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.settings()
			checkNames(t, err, tt.want)
		})
	}
}

func TestFragmentationRefusesWhatNobodyWouldTake(t *testing.T) {
	f := &Fragmentation{MaxSize: 1000, MaxSenderBytes: 10_000}
	h := newFragmentation(t, f, interceptortest.Config{})
	ctx := context.Background()
	if err := h.Send(ctx, one(peer), noise(10_000-heldEntry), message.UseAck); err != nil {
		t.Errorf("Send of as much as a member takes = %v, want nil", err)
	}
	if err := h.Send(ctx, one(peer), noise(10_000-heldEntry+1), message.UseAck); !errors.Is(err, message.ErrTooLarge) {
		t.Errorf("Send of a byte more = %v, want %v", err, message.ErrTooLarge)
	}
	id := message.NewID()
	for _, s := range h.Bottom.Sent() {
		if err := (arrival{peer, id, s.Message.Payload(), message.ByteMessage}).at(h); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.Top.Received(); len(got) != 1 || got[0].Len() != 10_000-heldEntry {
		t.Errorf("%d messages were delivered, want the one that was sent", len(got))
	}
}
