package decode

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/internal/golden"
)

// vector is one test vector made by a real Tribes node.
type vector struct {
	Name   string         `json:"name"`
	Hex    string         `json:"hex"`
	Fields map[string]any `json:"fields"`
}

// runJSON runs the subcommand and decodes its lines.
func runJSON(t *testing.T, stdin string, args ...string) (lines []map[string]any, status int) {
	t.Helper()
	var out, errs strings.Builder
	status = Run(args, strings.NewReader(stdin), &out, &errs)
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		lines = append(lines, m)
	}
	if errs.Len() > 0 {
		t.Logf("standard error: %s", errs.String())
	}
	return lines, status
}

// derived are fields of the vectors that are left out.
var derived = []string{"dataLength", "javaHashCode"}

func withoutDerived(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	clean := make(map[string]any)
	for k, x := range m {
		clean[k] = withoutDerived(x)
	}
	for _, k := range derived {
		delete(clean, k)
	}
	return clean
}

func TestVectors(t *testing.T) {
	tests := []struct{ file, kind, want string }{
		{"members.json", "auto", "member"},
		{"members.json", "member", "member"},
		{"mcast.json", "heartbeat", "heartbeat"},
		{"frames.json", "auto", "frame"},
		{"frames.json", "frame", "frame"},
		{"acks.json", "auto", "ack"},
		{"acks.json", "ack", "ack"},
	}
	for _, tt := range tests {
		for _, v := range golden.Read[vector](t, tt.file) {
			t.Run(tt.file+"/"+tt.kind+"/"+v.Name, func(t *testing.T) {
				lines, status := runJSON(t, "", "-kind", tt.kind, "-reencode", v.Hex)
				if len(lines) != 1 {
					t.Fatalf("%d lines, want 1", len(lines))
				}
				if v.Fields["accepted"] == false {
					if status != exitItem || lines[0]["error"] == "" || lines[0]["offset"] == nil {
						t.Errorf("status %d, %v; want an error with an offset and status 1", status, lines[0])
					}
					return
				}
				check(t, v, lines[0], status, tt.want)
			})
		}
	}
}

// check compares a decoded vector with the fields that the real node has.
func check(t *testing.T, v vector, got map[string]any, status int, kind string) {
	t.Helper()
	if status != exitOK {
		t.Fatalf("status %d, %v; want success", status, got)
	}
	want := v.Fields
	switch {
	case v.Fields["member"] != nil: // accepted with bytes behind it
		want = v.Fields["member"].(map[string]any)
		if !strings.HasPrefix(v.Hex, got["reencoded"].(string)) {
			t.Errorf("reencoded %s, want the start of %s", got["reencoded"], v.Hex)
		}
	case got["reencoded"] != v.Hex:
		t.Errorf("reencoded %s, want %s", got["reencoded"], v.Hex)
	}
	if got["kind"] == "frames" {
		checkFrames(t, v, got)
		return
	}
	if got["kind"] != kind {
		t.Errorf("kind %v, want %s", got["kind"], kind)
	}
	if diff := cmp.Diff(withoutDerived(want), got["fields"]); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
}

func checkFrames(t *testing.T, v vector, got map[string]any) {
	t.Helper()
	frames := got["frames"].([]any)
	if ids, ok := v.Fields["uniqueIds"].([]any); ok {
		for i, f := range frames {
			if id := f.(map[string]any)["uniqueId"]; id != ids[i] {
				t.Errorf("frame %d has id %v, want %v", i, id, ids[i])
			}
		}
		return
	}
	if diff := cmp.Diff(withoutDerived(v.Fields), frames[0]); diff != "" {
		t.Errorf("frame (-want +got):\n%s", diff)
	}
}

const ackHex = "464c5432303032000000030602035" + "44c4632303033"

func TestErrors(t *testing.T) {
	member := golden.Read[vector](t, "members.json")[0].Hex
	frame := golden.Read[vector](t, "frames.json")[0].Hex
	tests := []struct {
		name, kind, item, reason string
		offset                   float64
	}{
		{"not hexadecimal", "auto", "54zz", "not hexadecimal", 1},
		{"half a byte", "auto", "545", "not hexadecimal", 1},
		{"nothing", "auto", "", "truncated", 0},
		{"start of a magic", "auto", "464c", "truncated", 2},
		{"unknown magic", "auto", "00", "bad magic", 0},
		{"member cut off", "member", member[:100], "truncated", 50},
		{"frame cut off", "frame", frame[:100], "truncated", 50},
		{"frame and more", "frame", frame + "00", "trailing bytes", float64(len(frame) / 2)},
		{"frames and more", "auto", frame + "00", "bad magic", float64(len(frame) / 2)},
		{"ack and more", "ack", ackHex + "00", "trailing bytes", 21},
		{"frame is no ack", "ack", frame, "unknown ack", 11},
		{"member is no frame", "frame", member, "bad magic", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines, status := runJSON(t, "", "-kind", tt.kind, tt.item)
			want := map[string]any{"error": tt.reason, "offset": tt.offset}
			if diff := cmp.Diff([]map[string]any{want}, lines); diff != "" || status != exitItem {
				t.Errorf("status %d, want 1; (-want +got):\n%s", status, diff)
			}
		})
	}
}

func TestManyItems(t *testing.T) {
	text := ackHex + "\n\nzz\r\n  " + ackHex
	file := filepath.Join(t.TempDir(), "items")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"-", "@" + file} {
		lines, status := runJSON(t, text, arg)
		if len(lines) != 3 || lines[0]["kind"] != "ack" || lines[1]["error"] == nil || lines[2]["kind"] != "ack" || status != exitItem {
			t.Errorf("decode %s: status %d, %v; want ack, error, ack and status 1", arg, status, lines)
		}
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"help", []string{"-h"}, exitOK},
		{"no item", nil, exitUsage},
		{"two items", []string{"00", "00"}, exitUsage},
		{"unknown flag", []string{"-x", "00"}, exitUsage},
		{"unknown kind", []string{"-kind", "x", "00"}, exitUsage},
		{"no such file", []string{"@/no/such/file"}, exitUsage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out, errs strings.Builder
			got := Run(tt.args, strings.NewReader(""), &out, &errs)
			lines := strings.Count(errs.String(), "\n")
			if got != tt.want || tt.want == exitUsage && (lines != 1 || out.Len() != 0) {
				t.Errorf("status %d, want %d; standard error %q, want one line", got, tt.want, errs.String())
			}
			if tt.want == exitOK && !strings.Contains(out.String(), "-reencode") {
				t.Errorf("help %q names no flags", out.String())
			}
		})
	}
}
