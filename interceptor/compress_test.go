package interceptor

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

const allCaps = message.CapZstd | message.CapS2

var bothCodecs = []Codec{Zstd, S2}

// knownTo starts c where the members 2 and 3 have told that they can expand, 4 and 5
// that they can do something else, and 6 nothing.
func knownTo(tb testing.TB, c *Compress, cfg interceptortest.Config) *interceptortest.Harness {
	tb.Helper()
	h := interceptortest.New(tb, cfg, c)
	h.Start()
	h.Learn(interceptortest.Member(2), allCaps)
	h.Learn(interceptortest.Member(3), allCaps|1<<30)
	h.Learn(interceptortest.Member(4), 0)
	h.Learn(interceptortest.Member(5), 1<<30)
	return h
}

// zstdFrame and s2Block compress with settings of the library's own.
func zstdFrame(tb testing.TB, b []byte, o ...zstd.EOption) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil, o...)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

// unpack expands a message as its options say, with the library alone.
func unpack(t *testing.T, m *message.Message) []byte {
	t.Helper()
	var b []byte
	var err error
	switch m.Options & compressBits {
	case 0:
		return m.Payload()
	case message.Zstd:
		var r *zstd.Decoder
		if r, err = zstd.NewReader(nil); err == nil {
			b, err = r.DecodeAll(m.Payload(), nil)
			r.Close()
		}
	case message.S2:
		b, err = s2.Decode(nil, m.Payload())
	default:
		t.Fatalf("options %s", m.Options)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCompressSend(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	zeros := make([]byte, 4<<20)
	tests := []struct {
		name    string
		layer   *Compress
		to      int
		payload []byte
		options message.Options
		packed  bool
	}{
		{"text", new(Compress), 2, text, 0, true},
		{"text, to one that can do more", new(Compress), 3, text, 0, true},
		{"to one of ours without the layer", new(Compress), 4, text, 0, false},
		{"to one that can do something else", new(Compress), 5, text, 0, false},
		{"to one that has told nothing", new(Compress), 6, text, 0, false},
		{"to all by one datagram", new(Compress), 2, text, message.Multicast, false},
		{"empty", new(Compress), 2, nil, 0, false},
		{"at MinSize", new(Compress), 2, text[:256], 0, false},
		{"above MinSize", new(Compress), 2, text[:257], 0, true},
		{"noise", new(Compress), 2, noise(100_000), 0, false},
		{"everything", &Compress{MinSize: -1}, 2, text[:100], 0, true},
		{"everything but what grows", &Compress{MinSize: -1}, 2, text[:5], 0, false},
		{"options that are not true", new(Compress), 2, text[:5], compressBits, false},
		{"an option that becomes true", new(Compress), 2, text, compressBits, true},
		{"harder", &Compress{Level: 2}, 2, text, 0, true},
		{"hardest", &Compress{Level: 3}, 2, text, 0, true},
		{"what receivers would refuse for its size", &Compress{MaxSize: len(text) - 1}, 2, text, 0, false},
		{"what they would just take", &Compress{MaxSize: len(text)}, 2, text, 0, true},
		{"what they would refuse for its ratio", new(Compress), 2, zeros, 0, false},
		{"a ratio they would take", &Compress{MaxRatio: -1}, 2, zeros, 0, true},
	}
	for _, tt := range tests {
		for _, codec := range bothCodecs {
			t.Run(tt.name+" "+codec.String(), func(t *testing.T) {
				l := &Compress{Codec: codec, Level: tt.layer.Level, MinSize: tt.layer.MinSize, MaxSize: tt.layer.MaxSize, MaxRatio: tt.layer.MaxRatio}
				h := knownTo(t, l, interceptortest.Config{})
				if err := h.Send(context.Background(), one(interceptortest.Member(tt.to)), tt.payload, tt.options|message.UseAck); err != nil {
					t.Fatal(err)
				}
				got := h.Bottom.Sent()[0].Message
				want := tt.options&^compressBits | message.UseAck
				if tt.packed {
					want |= l.codecs[codec].option()
				}
				if got.Options != want {
					t.Fatalf("%d bytes: options %s, want %s", len(tt.payload), got.Options, want)
				}
				if !bytes.Equal(unpack(t, got), tt.payload) {
					t.Error("the library expands it to something else")
				}
				if got.Len() > len(tt.payload) || tt.packed && got.Len() == len(tt.payload) {
					t.Errorf("%d bytes travel as %d", len(tt.payload), got.Len())
				}
			})
		}
	}
}

// One send to destinations of both kinds is two to the layer below, each destination
// once, with one id.
func TestCompressSplits(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	c := new(Compress)
	h := knownTo(t, c, interceptortest.Config{})
	to := interceptortest.Members(2, 6)
	m := h.Message(text, message.Sync)
	id := m.ID
	r := message.NewReceipt(len(to), nil)
	if err := h.SendMessage(context.Background(), to, m, r); err != nil {
		t.Fatal(err)
	}
	m.Release()
	<-r.Done()
	if !r.OK() {
		t.Error("not all were settled with success")
	}
	sent := h.Bottom.Sent()
	if len(sent) != 2 {
		t.Fatalf("handed down %d times, want 2", len(sent))
	}
	for i, want := range []struct {
		options message.Options
		to      []*membership.Member
	}{{message.Sync | message.Zstd, to[:2]}, {message.Sync, to[2:]}} {
		got := sent[i]
		if got.Message.Options != want.options || !slices.Equal(got.To, want.to) || got.Message.ID != id || !bytes.Equal(unpack(t, got.Message), text) {
			t.Errorf("call %d has options %s, goes to %v and has the id %s; want %s, %v, %s and the same text",
				i, got.Message.Options, got.To, got.Message.ID, want.options, want.to, id)
		}
	}
	if s := c.Stats(); s.Split != 1 || s.Sent.Compressed != 1 || s.Sent.Plain != 1 || s.Sent.Bytes != 10_000 {
		t.Errorf("Stats() = %+v", s)
	}
}

// A half that is not accepted is not sent, and the other one is; if both are refused
// so is the message.
func TestCompressSplitRefused(t *testing.T) {
	text := bytes.Repeat([]byte("text "), 1000)
	errAble, errOther := errors.New("no room for those that are able"), errors.New("no room for the others")
	for _, tt := range []struct {
		name          string
		able, other   error
		want          error
		wantA, wantBe message.Outcome
	}{
		{"none", nil, nil, nil, message.Written, message.Written},
		{"the first half", errAble, nil, nil, message.NotSent, message.Written},
		{"the second half", nil, errOther, nil, message.Written, message.NotSent},
		{"both", errAble, errOther, errAble, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := knownTo(t, new(Compress), interceptortest.Config{})
			h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
				err := tt.other
				if m.Options&compressBits != 0 {
					err = tt.able
				}
				if err != nil {
					return err
				}
				return h.Bottom.Take(ctx, to, m, r)
			})
			to := []*membership.Member{interceptortest.Member(2), interceptortest.Member(6)}
			m := h.Message(text, 0)
			defer m.Release()
			r := message.NewReceipt(len(to), nil)
			if err := h.SendMessage(context.Background(), to, m, r); !errors.Is(err, tt.want) {
				t.Fatalf("Send = %v, want %v", err, tt.want)
			}
			if tt.want != nil {
				return
			}
			<-r.Done()
			res := r.Results(to, nil)
			if res[0].Outcome != tt.wantA || res[1].Outcome != tt.wantBe || !errors.Is(res[0].Err, tt.able) || !errors.Is(res[1].Err, tt.other) {
				t.Errorf("outcomes %v, want %s and %s with their errors", res, tt.wantA, tt.wantBe)
			}
		})
	}
}

// The half that kept the last send waiting comes second in the next.
func TestCompressSlowHalfIsLast(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		text := bytes.Repeat([]byte("text "), 1000)
		h := knownTo(t, new(Compress), interceptortest.Config{})
		var order []bool
		h.Bottom.Use(func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			packed := m.Options&compressBits != 0
			order = append(order, packed)
			if packed { // a queue without room
				time.Sleep(time.Second)
			}
			return h.Bottom.Take(ctx, to, m, r)
		})
		for range 3 {
			if err := h.Send(context.Background(), interceptortest.Members(2, 6), text, 0); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff([]bool{true, false, false, true, false, true}, order); d != "" {
			t.Errorf("which halves were compressed (-want +got):\n%s", d)
		}
		for _, s := range h.Bottom.Sent() {
			if !bytes.Equal(unpack(t, s.Message), text) {
				t.Error("a half is damaged")
			}
		}
	})
}

// What was compressed with the library, and with this layer in its first release.
func TestCompressReceive(t *testing.T) {
	text := []byte(strings.Repeat("some text, ", 30))
	single := zstd.WithSingleSegment(true)
	tests := []struct {
		name    string
		layer   *Compress
		payload []byte
		options message.Options
		want    []byte
	}{
		{"plain", new(Compress), text, 0, text},
		{"zstd", new(Compress), zstdFrame(t, text, single), message.Zstd, text},
		{"zstd, best", new(Compress), zstdFrame(t, text, single, zstd.WithEncoderLevel(zstd.SpeedBestCompression)), message.Zstd, text},
		{"zstd of nothing", new(Compress), zstdFrame(t, nil, single, zstd.WithZeroFrames(true)), message.Zstd, nil},
		{"zstd of noise", new(Compress), zstdFrame(t, noise(70_000), single), message.Zstd, noise(70_000)},
		{"zstd in zstd", new(Compress), zstdFrame(t, zstdFrame(t, text, single), single), message.Zstd, zstdFrame(t, text, single)},
		{"zstd with a ratio of thousands", new(Compress), zstdFrame(t, make([]byte, 1<<20), single), message.Zstd, make([]byte, 1<<20)},
		{"zstd, just as long as allowed", &Compress{MaxSize: len(text)}, zstdFrame(t, text, single), message.Zstd, text},
		{"s2", new(Compress), s2.Encode(nil, text), message.S2, text},
		{"snappy", new(Compress), s2.EncodeSnappy(nil, text), message.S2, text},
		{"s2 of nothing", new(Compress), s2.Encode(nil, nil), message.S2, nil},
		{"s2, just as long as allowed", &Compress{MaxSize: len(text)}, s2.Encode(nil, text), message.S2, text},
		{"zstd of the first release", new(Compress), unhex(t, goldenZstd), message.Zstd, text},
		{"s2 of the first release", new(Compress), unhex(t, goldenS2), message.S2, text},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := knownTo(t, tt.layer, interceptortest.Config{})
			err := h.Arrive(interceptortest.Member(6), tt.payload, message.ByteMessage|tt.options)
			got := h.Top.Received()
			if err != nil || len(got) != 1 || !bytes.Equal(got[0].Payload(), tt.want) {
				t.Fatalf("Receive = %v and %d messages delivered, want nil and the content", err, len(got))
			}
			if got[0].Options != message.ByteMessage {
				t.Errorf("options %s go up, want none of the layer", got[0].Options)
			}
		})
	}
}

// The layer's own forms of the text of TestCompressReceive, which later releases
// must read.
const (
	goldenZstd = "28b52ffd644a009d000058736f6d6520746578742c2001540b032c3c0e40e7c8ef"
	goldenS2   = "ca0228736f6d6520746578742c20110b19003300"
)

func TestCompressSettings(t *testing.T) {
	tests := []struct {
		name  string
		layer *Compress
		want  []string // what the error names
	}{
		{"zero", new(Compress), nil},
		{"all given", &Compress{Codec: S2, MinSize: 1, Level: 3, MaxSize: 1, MaxRatio: 1}, nil},
		{"all off", &Compress{MinSize: -1, MaxRatio: -1}, nil},
		{"level too high", &Compress{Level: 4}, []string{"Level 4"}},
		{"everything wrong", &Compress{Codec: 5, Level: -1, MaxSize: -1}, []string{"Codec 5", "Level -1", "MaxSize -1"}},
		{"too large", &Compress{MaxSize: 1 << 31}, []string{"MaxSize 2147483648"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.layer.settings()
			checkNames(t, err, tt.want)
		})
	}
	c := new(Compress)
	h := knownTo(t, c, interceptortest.Config{})
	if h.Announced() != allCaps {
		t.Errorf("announced %x, want %x", h.Announced(), allCaps)
	}
	if _, err := c.BindDown(nil, channel.Down{}); !errors.Is(err, errBound) {
		t.Errorf("second BindDown = %v, want %v", err, errBound)
	}
	for codec, want := range map[Codec]string{Zstd: "zstd", S2: "s2", 7: "codec 7"} {
		if got := codec.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

func TestCompressPassesTheSuite(t *testing.T) {
	for name, layer := range map[string]func() channel.Interceptor{
		"Zstd":    func() channel.Interceptor { return new(Compress) },
		"S2, all": func() channel.Interceptor { return &Compress{Codec: S2, MinSize: -1} },
	} {
		t.Run(name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: layer})
		})
	}
}
