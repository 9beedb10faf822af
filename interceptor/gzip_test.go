package interceptor

import (
	"bytes"
	stdgzip "compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

// newGzip starts g on a harness.
func newGzip(tb testing.TB, g *Gzip, cfg interceptortest.Config) *interceptortest.Harness {
	tb.Helper()
	h := interceptortest.New(tb, cfg, g)
	h.Start()
	return h
}

// sentAs sends payload and returns what was handed down.
func sentAs(t *testing.T, h *interceptortest.Harness, payload []byte, o message.Options) *message.Message {
	t.Helper()
	h.Bottom.Reset()
	if err := h.Send(context.Background(), one(interceptortest.Member(2)), payload, o); err != nil {
		t.Fatalf("Send of %d bytes = %v, want nil", len(payload), err)
	}
	return h.Bottom.Sent()[0].Message
}

// members makes one gzip member of each part with the standard library.
func members(tb testing.TB, parts ...[]byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	for _, p := range parts {
		w := stdgzip.NewWriter(&b)
		if _, err := w.Write(p); err != nil {
			tb.Fatal(err)
		}
		if err := w.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

// gunzip inflates b with the standard library.
func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := stdgzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func noise(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return b
}

func TestGzipVectorFromTribesIsInflated(t *testing.T) {
	v := loadVector(t, "gzip-default")
	h := newGzip(t, new(Gzip), interceptortest.Config{})
	if err := arrive(t, h, v.frames[0].bytes); err != nil {
		t.Fatalf("Receive = %v, want nil", err)
	}
	f, from := parse(t, v.frames[0].bytes)
	got := h.Top.Received()[0]
	if d := cmp.Diff(v.input[0], got.Payload()); d != "" {
		t.Errorf("payload differs (-want +got):\n%s", d)
	}
	if got.Options != f.Options || got.ID != message.ID(f.ID) || got.Sent != f.Sent || got.Source.Key() != from.Key() {
		t.Errorf("options %s, id %s, time %d, from %s: want what the frame says", got.Options, got.ID, got.Sent, got.Source)
	}
}

func TestGzipCompressesWhatTribesCompresses(t *testing.T) {
	v := loadVector(t, "gzip-default")
	f, _ := parse(t, v.frames[0].bytes)
	h := newGzip(t, new(Gzip), interceptortest.Config{})
	got := sentAs(t, h, v.input[0], message.ByteMessage)
	if got.Options != f.Options {
		t.Errorf("options %s, want %s", got.Options, f.Options)
	}
	if d := cmp.Diff(v.input[0], gunzip(t, got.Payload())); d != "" {
		t.Errorf("what the standard library inflates differs (-want +got):\n%s", d)
	}
	if got.Len() > len(f.Message)+2 {
		t.Errorf("compressed to %d bytes, want about the %d of Java", got.Len(), len(f.Message))
	}
}

func TestGzipBelowMinSizeIsTheFrameOfTribes(t *testing.T) {
	v := loadVector(t, "gzip-below-min-size")
	f, from := parse(t, v.frames[0].bytes)
	h := newGzip(t, &Gzip{MinSize: 1000}, interceptortest.Config{})
	got := sentAs(t, h, v.input[0], message.ByteMessage)
	got.ID, got.Source, got.Sent = message.ID(f.ID), from, f.Sent
	if d := cmp.Diff(v.frames[0].bytes, message.AppendFrame(nil, got, 0)); d != "" {
		t.Errorf("frame differs (-want +got):\n%s", d)
	}
	if err := arrive(t, h, v.frames[0].bytes); err != nil || !bytes.Equal(h.Top.Received()[0].Payload(), v.input[0]) {
		t.Errorf("Receive = %v, want nil and the bytes as they are", err)
	}
}

func TestGzipSend(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	zeros := make([]byte, 20<<20)
	tests := []struct {
		name       string
		layer      *Gzip
		payload    []byte
		options    message.Options
		compressed bool
	}{
		{"text", new(Gzip), text, 0, true},
		{"empty", new(Gzip), nil, 0, false},
		{"at MinSize", new(Gzip), text[:128], 0, false},
		{"above MinSize", new(Gzip), text[:129], 0, true},
		{"noise", new(Gzip), noise(100_000), 0, false},
		{"everything", &Gzip{MinSize: -1}, text[:100], 0, true},
		{"everything but what grows", &Gzip{MinSize: -1}, text[:5], 0, false},
		{"everything and nothing", &Gzip{MinSize: -1}, nil, 0, false},
		{"flag that is not true", new(Gzip), text[:5], message.Gzip, false},
		{"flag that becomes true", new(Gzip), text, message.Gzip, true},
		{"other flag", &Gzip{OptionFlag: 0x80}, text, 0, true},
		{"fastest", &Gzip{Level: 1}, text, 0, true},
		{"smallest", &Gzip{Level: 9}, text, 0, true},
		{"what receivers would refuse for its size", &Gzip{MaxSize: len(text) - 1}, text, 0, false},
		{"what they would just take", &Gzip{MaxSize: len(text)}, text, 0, true},
		{"what they would refuse for its ratio", new(Gzip), zeros, 0, false},
		{"a ratio they would take", &Gzip{MaxRatio: -1}, zeros, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newGzip(t, tt.layer, interceptortest.Config{})
			got := sentAs(t, h, tt.payload, tt.options)
			flag := tt.layer.set.flag
			if on := got.Options&flag == flag; on != tt.compressed {
				t.Fatalf("%d bytes: flag set: %t, want %t", len(tt.payload), on, tt.compressed)
			}
			content := got.Payload()
			if tt.compressed {
				content = gunzip(t, content)
			}
			if !bytes.Equal(content, tt.payload) {
				t.Errorf("%d bytes became %d others", len(tt.payload), len(content))
			}
			if got.Len() > len(tt.payload) {
				t.Errorf("%d bytes travel as %d, want not more", len(tt.payload), got.Len())
			}
		})
	}
}

func TestGzipReceive(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	member := members(t, text)
	tests := []struct {
		name    string
		layer   *Gzip
		payload []byte
		want    []byte
	}{
		{"a member", new(Gzip), member, text},
		{"a member of nothing", new(Gzip), members(t, nil), nil},
		{"a ratio of a thousand", new(Gzip), members(t, make([]byte, 4<<20)), make([]byte, 4<<20)},
		{"noise", new(Gzip), members(t, noise(70_000)), noise(70_000)},
		{"a member in a member", new(Gzip), members(t, member), member},
		{"just as long as allowed", &Gzip{MaxSize: len(text)}, member, text},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newGzip(t, tt.layer, interceptortest.Config{})
			err := h.Arrive(interceptortest.Member(2), tt.payload, message.ByteMessage|message.Gzip)
			got := h.Top.Received()
			if err != nil || len(got) != 1 || !bytes.Equal(got[0].Payload(), tt.want) {
				t.Fatalf("Receive = %v and %d messages delivered, want nil and the content", err, len(got))
			}
			if !got[0].Options.Has(message.Gzip) {
				t.Error("the flag is cleared for the layers above, want it set as in Tribes")
			}
		})
	}
}

func TestGzipDrops(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	member := members(t, text)
	claims := func(size uint32) []byte {
		return binary.LittleEndian.AppendUint32(bytes.Clone(member[:len(member)-4]), size)
	}
	tests := []struct {
		name    string
		layer   *Gzip
		payload []byte
		reason  string
	}{
		{"nothing", new(Gzip), nil, "bad gzip"},
		{"no gzip", new(Gzip), text, "bad gzip"},
		{"no gzip of the least size", new(Gzip), make([]byte, leastMember), "bad gzip"},
		{"a member cut off", new(Gzip), member[:len(member)-1], "bad gzip"},
		{"a byte behind", new(Gzip), append(bytes.Clone(member), 0), "bytes behind gzip"},
		{"two members", new(Gzip), members(t, text, text), "bytes behind gzip"},
		{"it claims less", new(Gzip), claims(1), "bad gzip"},
		{"it claims nothing", new(Gzip), claims(0), "bad gzip"},
		{"it claims much", new(Gzip), claims(1<<32 - 1), "bad gzip"},
		{"longer than allowed", &Gzip{MaxSize: len(text) - 1}, member, "inflates too far"},
		{"longer than allowed and claims less", &Gzip{MaxSize: len(text) - 1}, claims(5), "inflates too far"},
		{"a ratio of a thousand, and long", new(Gzip), members(t, make([]byte, ratioFree+1)), "inflates too far"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := new(recorder)
			h := newGzip(t, tt.layer, rec.config())
			err := h.Arrive(interceptortest.Member(2), tt.payload, message.ByteMessage|message.Gzip)
			if got := h.Top.Received(); err == nil || len(got) != 0 {
				t.Errorf("Receive = %v and %d messages delivered, want an error and none", err, len(got))
			}
			if d := cmp.Diff([]string{"Gzip: " + tt.reason}, rec.drops()); d != "" {
				t.Errorf("dropped by the trace (-want +got):\n%s", d)
			}
			if lines := rec.log(); len(lines) != 1 || !strings.Contains(lines[0], "WARN a message was dropped: "+tt.reason) {
				t.Errorf("log = %q, want one warning", lines)
			}
			if got := tt.layer.Stats().Dropped; got != 1 {
				t.Errorf("Stats().Dropped = %d, want 1", got)
			}
		})
	}
}

func TestGzipDropsDamagedMembers(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 30)
	member := members(t, text)
	h := newGzip(t, new(Gzip), interceptortest.Config{})
	try := func(b []byte) {
		t.Helper()
		h.Top.Reset()
		err := h.Arrive(interceptortest.Member(2), b, message.Gzip)
		got := h.Top.Received()
		if err == nil && (len(got) != 1 || !bytes.Equal(got[0].Payload(), text)) {
			t.Errorf("Receive of %x = nil, but delivered is something else", b)
		}
		if err != nil && len(got) != 0 {
			t.Errorf("Receive of %x = %v, but it was delivered", b, err)
		}
	}
	for n := range member {
		try(member[:n])
	}
	for bit := range 8 * len(member) {
		b := bytes.Clone(member)
		b[bit/8] ^= 1 << (bit % 8)
		try(b)
	}
}

func TestGzipTellsTheSenderOfARefusal(t *testing.T) {
	layers := []*Gzip{new(Gzip), {MaxSize: 1000}} // of A, of B
	p := interceptortest.NewPair(t, interceptortest.Config{}, func() []channel.Interceptor {
		next := layers[0]
		layers = layers[1:]
		return []channel.Interceptor{next}
	})
	to := one(p.B.Local())
	if err := p.A.Send(context.Background(), to, make([]byte, 1000), message.Sync); err != nil {
		t.Errorf("Send of what is allowed = %v, want nil", err)
	}
	r := p.A.Post(context.Background(), to, make([]byte, 1001), message.Sync)
	res := result(t, r, to[0])
	var remote *message.RemoteError
	if res.Outcome != message.Refused || !errors.As(res.Err, &remote) || !strings.Contains(remote.Reason, "inflates") {
		t.Errorf("Send of what is not: outcome %s, %v, want %s with the reason", res.Outcome, res.Err, message.Refused)
	}
}

func TestGzipStats(t *testing.T) {
	g := new(Gzip)
	h := newGzip(t, g, interceptortest.Config{})
	text := bytes.Repeat([]byte("text "), 1000)
	packed := members(t, text)
	sent := sentAs(t, h, text, 0).Len()
	sentAs(t, h, text[:5], 0)
	for _, b := range [][]byte{packed, packed[1:]} {
		_ = h.Arrive(interceptortest.Member(2), b, message.Gzip) // one of them is dropped
	}
	if err := h.Arrive(interceptortest.Member(2), text, 0); err != nil {
		t.Fatal(err)
	}
	want := GzipStats{
		Sent:     GzipTraffic{Compressed: 1, Plain: 1, Bytes: 5005, WireBytes: uint64(sent + 5)},
		Received: GzipTraffic{Compressed: 1, Plain: 1, Bytes: 10_000, WireBytes: uint64(len(packed) + 5000)},
		Dropped:  1,
	}
	if d := cmp.Diff(want, g.Stats()); d != "" {
		t.Errorf("Stats() differ (-want +got):\n%s", d)
	}
	if got, want := g.Stats().Received.Ratio(), 10_000/float64(len(packed)+5000); got != want {
		t.Errorf("Ratio() = %v, want %v", got, want)
	}
	if got := (GzipTraffic{}).Ratio(); got != 1 {
		t.Errorf("Ratio() of nothing = %v, want 1", got)
	}
}

func TestGzipSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *Gzip
		want  []string // what the error names
	}{
		{"zero", new(Gzip), nil},
		{"all given", &Gzip{MinSize: 1, Level: 9, OptionFlag: 0x300, MaxSize: 1, MaxRatio: 1}, nil},
		{"all off", &Gzip{MinSize: -1, MaxRatio: -1}, nil},
		{"level too high", &Gzip{Level: 10}, []string{"Level 10"}},
		{"everything wrong", &Gzip{Level: -1, OptionFlag: 0x102, MaxSize: -1}, []string{"Level -1", "OptionFlag", "MaxSize -1"}},
		{"flag of the acks", &Gzip{OptionFlag: message.NumberedAcks}, []string{"OptionFlag"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.settings()
			checkNames(t, err, tt.want)
		})
	}
}

// checkNames checks that err is nil if nothing is wanted, else that it names
// all that is.
func checkNames(t *testing.T, err error, want []string) {
	t.Helper()
	if (err != nil) != (len(want) > 0) {
		t.Fatalf("settings = %v, want problems with %q", err, want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("settings = %v, want it to name %q", err, w)
		}
	}
}

func TestLayersServeOneChannel(t *testing.T) {
	for _, layer := range []channel.Interceptor{new(Gzip), new(Order), new(DomainFilter), new(Throughput)} {
		interceptortest.New(t, interceptortest.Config{}, layer)
		if _, err := layer.BindDown(nil, channel.Down{}); !errors.Is(err, errBound) {
			t.Errorf("%T: second BindDown = %v, want %v", layer, err, errBound)
		}
	}
}
