package mem_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/transport/mem"
)

// panicOf returns what f panics with, as text; empty if it does not.
func panicOf(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestConfigErrors(t *testing.T) {
	tests := []struct {
		name string
		cfg  mem.Config
		want []string // parts of the panic, none for no panic
	}{
		{"zero", mem.Config{}, nil},
		{"long heartbeat", mem.Config{Heartbeat: time.Minute}, nil},
		{"everything wrong", mem.Config{
			Timeout: -1, MaxFrame: 10, Window: -1, Heartbeat: -1, DropTime: -2,
			Link: mem.Link{Delay: -1, Jitter: -1, Loss: 1.5, Duplicate: -0.1, Reorder: math.NaN(), Spread: -1, Bandwidth: -1},
		}, []string{"Timeout -1ns", "MaxFrame 10", "Window -1", "Heartbeat -1ns", "DropTime -2ns",
			"Delay -1ns", "Jitter -1ns", "Loss 1.5", "Duplicate -0.1", "Reorder NaN", "Spread -1ns", "Bandwidth -1"}},
		{"drop before the next heartbeat", mem.Config{Heartbeat: time.Minute, DropTime: time.Second}, []string{"DropTime 1s"}},
	}
	for _, test := range tests {
		text := panicOf(func() { mem.NewNetwork(test.cfg) })
		if (text == "") != (test.want == nil) {
			t.Errorf("%s: NewNetwork panics with %q, want %q", test.name, text, test.want)
		}
		for _, part := range test.want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: NewNetwork panics with %q, want it to tell of %q", test.name, text, part)
			}
		}
	}
}

// A mistake in a test's fault must not be a fault that does nothing.
func TestFaultErrors(t *testing.T) {
	n := mem.NewNetwork(mem.Config{})
	n.Node("a")
	tests := []struct {
		name string
		f    func()
		want string
	}{
		{"SetLink to a stranger", func() { n.SetLink("a", "z", mem.Link{}) }, `no host "z"`},
		{"SetLink from a stranger", func() { n.SetLink("z", "a", mem.Link{}) }, `no host "z"`},
		{"SetLink with a bad link", func() { n.SetLink("a", "a", mem.Link{Loss: 2}) }, "Loss 2"},
		{"SetLinks with a bad link", func() { n.SetLinks(mem.Link{Delay: -1}) }, "Delay -1ns"},
		{"Cut", func() { n.Cut("a", "z") }, `no host "z"`},
		{"Mend", func() { n.Mend("z", "a") }, `no host "z"`},
		{"Partition", func() { n.Partition([]string{"a"}, []string{"z"}) }, `no host "z"`},
		{"Isolate", func() { n.Isolate("z") }, `no host "z"`},
		{"Crash", func() { n.Crash("z") }, `no host "z"`},
	}
	for _, test := range tests {
		if text := panicOf(test.f); !strings.Contains(text, test.want) {
			t.Errorf("%s panics with %q, want %q", test.name, text, test.want)
		}
	}
}
