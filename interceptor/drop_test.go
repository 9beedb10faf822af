package interceptor

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/internal/hush"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// recorder notes what layers log and trace.
type recorder struct {
	mu      sync.Mutex
	lines   []string // level, text and attributes
	dropped []string // layer and reason
	repeats int
}

// config is for a harness whose layers are recorded.
func (rec *recorder) config() interceptortest.Config {
	return interceptortest.Config{
		Logger: slog.New(rec),
		Trace: &channel.Trace{
			MessageDropped: func(layer string, _ *membership.Member, _ message.ID, reason string) {
				rec.mu.Lock()
				defer rec.mu.Unlock()
				rec.dropped = append(rec.dropped, layer+": "+reason)
			},
			Duplicate: func(*membership.Member, message.ID) {
				rec.mu.Lock()
				defer rec.mu.Unlock()
				rec.repeats++
			},
		},
	}
}

func (rec *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (rec *recorder) WithAttrs([]slog.Attr) slog.Handler       { return rec }
func (rec *recorder) WithGroup(string) slog.Handler            { return rec }

func (rec *recorder) Handle(_ context.Context, r slog.Record) error {
	line := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.lines = append(rec.lines, line)
	return nil
}

// log returns the lines so far, and drops what was dropped.
func (rec *recorder) log() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.lines)
}

func (rec *recorder) drops() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.dropped)
}

// frameVector is one vector of frames that a real node wrote.
type frameVector struct {
	input  [][]byte
	frames []frameTo
}

type frameTo struct {
	to    string // display name of the destination
	bytes []byte
}

// layerVector is what a layer of Tribes was given, and what it made of that.
type layerVector struct {
	Name   string
	Input  struct{ Message, Messages any }
	Output json.RawMessage
}

// loadVector reads a vector of interceptors.json.
func loadVector(tb testing.TB, name string) frameVector {
	tb.Helper()
	for _, v := range golden.Read[layerVector](tb, "interceptors.json") {
		if v.Name != name {
			continue
		}
		var fv frameVector
		all, _ := v.Input.Messages.([]any)
		if v.Input.Message != nil {
			all = []any{v.Input.Message}
		}
		for _, s := range all {
			fv.input = append(fv.input, unhex(tb, s.(string)))
		}
		var out []struct {
			To    []string
			Frame string
		}
		if err := json.Unmarshal(v.Output, &out); err != nil {
			tb.Fatal(err)
		}
		for _, o := range out {
			fv.frames = append(fv.frames, frameTo{strings.Join(o.To, " "), unhex(tb, o.Frame)})
		}
		return fv
	}
	tb.Fatalf("no vector %s", name)
	return frameVector{}
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// arrive gives a frame that a real node wrote to the lowest layer of h.
func arrive(t *testing.T, h *interceptortest.Harness, frame []byte) error {
	t.Helper()
	f, from := parse(t, frame)
	m := h.Message(f.Message, f.Options)
	defer m.Release()
	m.ID, m.Source, m.Sent = message.ID(f.ID), from, f.Sent
	return h.Deliver(context.Background(), m)
}

func TestDropsAreLoggedSeldom(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		h := interceptortest.New(t, rec.config(), new(Order))
		h.Start()
		cut := func(times int) {
			for range times {
				if err := h.Arrive(interceptortest.Member(2), []byte("abc"), 0); err == nil {
					t.Error("Receive of a message without a number = nil, want an error")
				}
			}
		}
		cut(100)
		time.Sleep(hush.Pause)
		cut(100)
		lines := rec.log()
		if len(lines) != 2 || !strings.Contains(lines[1], "skipped=99") {
			t.Errorf("200 messages were dropped in two spells, and the log says %q, want a line for each", lines)
		}
		if got := len(rec.drops()); got != 200 {
			t.Errorf("the trace was told of %d dropped messages, want 200", got)
		}
	})
}
