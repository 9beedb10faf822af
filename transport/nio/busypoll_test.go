package nio

import (
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestHabit has waits of all kinds and looks at when polling is worth it.
func TestHabit(t *testing.T) {
	const limit = 100 * time.Microsecond
	short := func(h *habit) { h.slept(limit) }
	long := func(h *habit) { h.slept(2 * limit) }
	met := func(h *habit) { h.polled(true) }
	vain := func(h *habit) { h.polled(false) }
	repeat := func(n int, f func(*habit)) func(*habit) {
		return func(h *habit) {
			for range n {
				f(h)
			}
		}
	}
	tests := []struct {
		name  string
		waits []func(*habit)
		want  bool
	}{
		{"at first", nil, false},
		{"one short wait", []func(*habit){short}, false},
		{"two short waits", []func(*habit){short, short}, true},
		{"a long wait between", []func(*habit){short, long, short}, false},
		{"a long wait behind many short ones", []func(*habit){repeat(100, short), long}, false},
		{"met", []func(*habit){short, short, met}, true},
		{"in vain at once", []func(*habit){short, short, vain}, false},
		{"in vain, then two short ones", []func(*habit){short, short, vain, short, short}, false},
		{"in vain, then four short ones", []func(*habit){short, short, vain, repeat(4, short)}, true},
		{"in vain behind many that were met", []func(*habit){short, short, repeat(100, met), vain}, true},
		{"in vain twice", []func(*habit){short, short, repeat(100, met), vain, vain}, false},
		{"in vain for long, then short ones", []func(*habit){repeat(100, vain), repeat(6, short)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := habit{limit: limit}
			for _, wait := range tt.waits {
				wait(&h)
			}
			if got := h.wants(); got != tt.want {
				t.Errorf("wants to poll: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestHabitBoundsWhatIsInVain has waits that are just too long to be met, and
// short enough to look promising.
func TestHabitBoundsWhatIsInVain(t *testing.T) {
	h := habit{limit: 100 * time.Microsecond}
	vain, all := 0, 0
	for ; all < 1000; all++ {
		if h.wants() {
			h.polled(false)
			vain++
		}
		h.slept(150 * time.Microsecond)
	}
	if vain == 0 || vain > all/4 {
		t.Errorf("%d of %d waits were polled in vain, want some and at most a quarter", vain, all)
	}
}

// TestPollersLeaveAProcessor: as many as there are processors would leave none to
// what they wait for.
func TestPollersLeaveAProcessor(t *testing.T) {
	h := habit{limit: time.Minute}
	procs := int32(runtime.GOMAXPROCS(0))
	pollers.Add(procs - 1)
	defer pollers.Add(1 - procs)
	if h.poll(func() bool { return true }) {
		t.Error("polls on the last processor")
	}
	pollers.Add(-1)
	defer pollers.Add(1)
	if procs > 1 && !h.poll(func() bool { return true }) {
		t.Error("does not poll on the last but one")
	}
}

// TestPollReader reads one stream with polling and without: all bytes, the end, a
// deadline.
func TestPollReader(t *testing.T) {
	a, b := tcpPair(t)
	p := newPollReader(b, time.Millisecond)
	if polls := p.now != nil; polls != (runtime.GOOS == "linux") {
		t.Fatalf("polls: %v", polls)
	}
	buf := make([]byte, 16)
	expect := func(want string) {
		t.Helper()
		n, err := io.ReadFull(readFunc(p.Read), buf[:len(want)])
		if got := string(buf[:n]); got != want || err != nil {
			t.Fatalf("read %q, %v, want %q", got, err, want)
		}
	}
	for range 100 {
		if _, err := a.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		expect("hello")
	}
	p.score = habitFull // so that it polls, and in vain
	if err := b.SetReadDeadline(time.Now().Add(2 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Read(buf); !os.IsTimeout(err) {
		t.Fatalf("read past the deadline: %v", err)
	}
	if err := b.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	expect("bye")
	p.score = habitFull
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(buf); n != 0 || err != io.EOF {
		t.Fatalf("read at the end: %d, %v", n, err)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(b []byte) (int, error) { return f(b) }

// TestPollReaderLeavesWrappersAlone: a connection around another one has its own
// way to read.
func TestPollReaderLeavesWrappersAlone(t *testing.T) {
	_, b := tcpPair(t)
	for name, c := range map[string]net.Conn{
		"embedded": struct{ *net.TCPConn }{b.(*net.TCPConn)},
		"pipe":     func() net.Conn { p, q := net.Pipe(); closeLater(t, p, q); return p }(),
	} {
		if newPollReader(c, time.Millisecond).now != nil {
			t.Errorf("%s: is read past its own Read", name)
		}
	}
	if newPollReader(b, 0).now != nil {
		t.Error("polls although it is switched off")
	}
}

func closeLater(t *testing.T, cs ...net.Conn) {
	for _, c := range cs {
		t.Cleanup(func() { c.Close() })
	}
}

// tcpPair returns the two ends of a connection.
func tcpPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	closeLater(t, a, b)
	return a, b
}
