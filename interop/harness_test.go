//go:build interop

package interop

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
)

// The tests of this file need no Java: they show that the driver notices what it must notice.

func TestCompareSeries(t *testing.T) {
	const count = 60
	s := series{9, 100}
	sent := make([]record, count)
	for i := range sent {
		sent[i] = record{sha256: s.hash(i), length: len(s.message(i))}
	}
	edited := func(edit func(r []record) []record) []record { return edit(append([]record(nil), sent...)) }
	tests := []struct {
		name  string
		got   []record
		order order
		want  string // part of the only complaint; empty for none
	}{
		{"same", sent, inOrder, ""},
		{"lost", edited(func(r []record) []record { return append(r[:7], r[8:]...) }), inOrder, "message 7 "},
		{"one empty of two lost", edited(func(r []record) []record { return r[1:] }), anyOrder, "message 50 "},
		{"strange", edited(func(r []record) []record { return append(r, record{sha256: "ab", length: 3}) }), inOrder, "was not sent"},
		{"twice", edited(func(r []record) []record { return append(r, r[3]) }), anyOrder, "was not sent"},
		{"repeated", edited(func(r []record) []record { return append(r, record{sha256: s.hash(3), repeat: true}) }), anyOrder, "came before"},
		{"swapped", edited(func(r []record) []record { r[5], r[6] = r[6], r[5]; return r }), inOrder, "message 5 arrived after message 6"},
		{"swapped, which is allowed", edited(func(r []record) []record { r[5], r[6] = r[6], r[5]; return r }), anyOrder, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := compareSeries(test.got, s, count, test.order)
			if test.want == "" && len(got) != 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
				t.Errorf("compareSeries = %q, want one with %q", got, test.want)
			}
		})
	}
}

func TestProcessEvents(t *testing.T) {
	p := start(t, `echo '{"event":"a","count":1}'; echo '{"event":"b"}'; echo '{"event":"a","count":2}'; echo oops >&2; read line; echo "{\"event\":\"$line\"}"; printf '{"half'`)
	named := func(name string) func(event) bool { return func(e event) bool { return e.Name == name } }
	for _, want := range []event{{Name: "b"}, {Name: "a", Count: 1}, {Name: "a", Count: 2}} {
		got, err := p.inbox.take(t.Context(), named(want.Name))
		if err != nil || got.Name != want.Name || got.Count != want.Count {
			t.Errorf("take(%s) = %+v, %v; want %+v", want.Name, got, err, want)
		}
	}
	if err := p.writeLine("c"); err != nil {
		t.Fatal(err)
	}
	if _, err := p.inbox.take(t.Context(), named("c")); err != nil {
		t.Error(err)
	}
	if err := p.wait(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.inbox.take(t.Context(), named("d")); err == nil || !strings.Contains(err.Error(), "process has ended") {
		t.Errorf("take after the end = %v, want process has ended", err)
	}
	if err := p.malformed(); err != nil {
		t.Errorf("malformed = %v for half a line at the end", err)
	}
	for _, want := range []string{"oops", `{"half`, `{"event":"c"}`} {
		if !strings.Contains(p.recent(), want) {
			t.Errorf("recent = %q, want %q in it", p.recent(), want)
		}
	}
}

func TestProcessGivenUp(t *testing.T) {
	p := start(t, `echo broken; echo '{"event":"a"}'; read line`)
	ctx, cancel := context.WithCancelCause(t.Context())
	if _, err := p.inbox.take(ctx, func(e event) bool { return e.Name == "a" }); err != nil {
		t.Fatal(err)
	}
	why := errors.New("no patience")
	cancel(why)
	if _, err := p.inbox.take(ctx, func(event) bool { return false }); !errors.Is(err, why) {
		t.Errorf("take = %v, want %v", err, why)
	}
	if err := p.kill(); err != nil {
		t.Errorf("kill = %v", err)
	}
	if err := p.kill(); err != nil {
		t.Errorf("second kill = %v", err)
	}
	if p.malformed() == nil {
		t.Error(`malformed = nil, want an error about "broken"`)
	}
}

// start runs a shell script as a node.
func start(t *testing.T, script string) *process {
	t.Helper()
	p, err := startProcess(exec.Command("sh", "-c", script))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.kill(); err != nil {
			t.Error(err)
		}
	})
	return p
}
