package nio

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

func TestLineGate(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	var g lineGate
	steps := []struct {
		kind   string
		from   netip.Addr
		at     time.Duration
		missed int
		ok     bool
	}{
		{"x", a, 0, 0, true},
		{"x", a, time.Second, 0, false},
		{"x", a, 2 * time.Second, 0, false},
		{"x", b, 2 * time.Second, 0, true},
		{"y", a, 2 * time.Second, 0, true},
		{"x", a, 9 * time.Second, 0, false},
		{"x", a, 10*time.Second + 1, 3, true},
		{"x", a, 11 * time.Second, 0, false},
		{"x", a, 30 * time.Second, 1, true},
	}
	for i, s := range steps {
		if missed, ok := g.allow(s.kind, s.from, int64(s.at)+1); missed != s.missed || ok != s.ok {
			t.Errorf("step %d: allow(%q, %v) = %d, %v, want %d, %v", i, s.kind, s.from, missed, ok, s.missed, s.ok)
		}
	}
}

// TestLineGateFlood has more sources than are told apart: few lines, little
// memory, and afterwards all is as before.
func TestLineGateFlood(t *testing.T) {
	var g lineGate
	lines := 0
	for i := range 100_000 {
		from := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, ok := g.allow("x", from, 1); ok {
			lines++
		}
	}
	if len(g.last) > lineKinds+1 || lines > lineKinds+1 {
		t.Errorf("%d lines and %d entries for 100000 sources, want at most %d", lines, len(g.last), lineKinds+1)
	}
	if _, ok := g.allow("x", netip.MustParseAddr("11.0.0.1"), 1+lineGap); !ok {
		t.Error("a new source after the flood got no line")
	}
}

func TestLooksLike(t *testing.T) {
	tests := []struct{ in, want string }{
		{"GET / HTTP/1.1\r\n", "HTTP"},
		{"POST /x", "HTTP"},
		{"PRI * HTTP/2.0\r\n", "HTTP/2"},
		{"\x16\x03\x01\x02\x00\x01", "TLS"},
		{"\x15\x03\x03\x00\x02", "TLS"},
		{"SSH-2.0-OpenSSH_9.9\r\n", "SSH"},
		{"PROXY TCP4 ", "PROXY protocol"},
		{"\xac\xed\x00\x05sr", "Java serialization"},
		{"TRIBES-B\x01\x00", "a Tribes heartbeat"},
		{"G", ""},
		{"", ""},
		{"\x16\x03", ""},
		{"random", ""},
	}
	for _, tt := range tests {
		if got := looksLike([]byte(tt.in)); got != tt.want {
			t.Errorf("looksLike(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	if got, want := quote([]byte("a\x00b\nc\xff"+fmt.Sprintf("%020d", 0))), "a.b.c.0000000000"; got != want {
		t.Errorf("quote() = %q, want %q", got, want)
	}
}

// progressStep is what a connection has read at a time, and what is said of it.
type progressStep struct {
	at      time.Duration
	bytes   int
	frames  int
	partial bool
	touch   bool
	want    string
}

var progressTests = []struct {
	name  string
	steps []progressStep
}{
	{"silent", []progressStep{{at: 9 * time.Second}, {at: 10 * time.Second, want: reasonFirstFrame}}},
	{"one byte a second", []progressStep{
		{at: 1 * time.Second, bytes: 1, partial: true},
		{at: 10 * time.Second, bytes: 9, partial: true},
		{at: 11 * time.Second, partial: true, want: reasonFirstFrame},
	}},
	{"large first frame with progress", []progressStep{
		{at: 0, bytes: 1, partial: true},
		{at: 10 * time.Second, bytes: leastProgress, partial: true},
		{at: 19 * time.Second, bytes: leastProgress, partial: true},
		{at: 20 * time.Second, partial: true},
		{at: 30 * time.Second, bytes: 10, partial: true, want: reasonFirstFrame},
	}},
	{"idle after a frame", []progressStep{
		{at: time.Second, bytes: 100, frames: 1},
		{at: 24 * time.Hour},
	}},
	{"slow second frame", []progressStep{
		{at: time.Second, bytes: 100, frames: 1},
		{at: time.Hour},
		{at: time.Hour + time.Second, bytes: 1, partial: true},
		{at: time.Hour + 30*time.Second, bytes: 1, partial: true},
		{at: time.Hour + 31*time.Second, partial: true, want: reasonPartial},
	}},
	{"always a part of the next frame", []progressStep{
		{at: time.Second, bytes: 100, frames: 1, partial: true},
		{at: 30 * time.Second, bytes: 100, frames: 1, partial: true},
		{at: 59 * time.Second, bytes: 100, frames: 1, partial: true},
		{at: 88 * time.Second, partial: true},
		{at: 89 * time.Second, partial: true, want: reasonPartial},
	}},
	{"was not read", []progressStep{
		{at: time.Second, bytes: 100, frames: 1, partial: true},
		{at: 29 * time.Second, touch: true, partial: true},
		{at: 58 * time.Second, partial: true},
		{at: 60 * time.Second, partial: true, want: reasonPartial},
	}},
}

func TestProgress(t *testing.T) {
	limits := ReceiverLimits{FirstFrameTimeout: 10 * time.Second, PartialTimeout: 30 * time.Second}
	for _, tt := range progressTests {
		t.Run(tt.name, func(t *testing.T) {
			var p rxProgress
			p.begin(0)
			for i, s := range tt.steps {
				if s.bytes > 0 && p.read(s.bytes, s.frames, s.partial) || s.touch {
					p.touch(int64(s.at))
				}
				if reason, yes := p.overdue(int64(s.at), &limits); reason != s.want || yes != (s.want != "") {
					if yes || s.want != "" {
						t.Fatalf("step %d: overdue() = %q, %v, want %q", i, reason, yes, s.want)
					}
				}
			}
		})
	}
}
