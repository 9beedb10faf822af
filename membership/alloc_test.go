//go:build !race

package membership

import (
	"testing"
	"time"
)

func TestHeardAllocatesNothing(t *testing.T) {
	var table Table
	now := time.Now()
	image := []byte(aged(t, 1, 0).Image())
	m := aged(t, 1, time.Second)
	table.Heard(aged(t, 1, 0), now)
	table.View()
	tests := []struct {
		name string
		f    func()
	}{
		{"Heard", func() { table.Heard(m, now) }},
		{"Alive", func() { table.Alive(m.Key(), now) }},
		{"Expire", func() { table.Expire(now, time.Second) }},
		{"View", func() { table.View() }},
		{"Is", func() { m.Is(image) }},
		{"KeyOf", func() { KeyOf(image) }},
		{"Announces", func() { m.Announces(image) }},
		{"Refresh", func() { table.Refresh(image, now) }},
	}
	for _, tt := range tests {
		if got := testing.AllocsPerRun(100, tt.f); got != 0 {
			t.Errorf("%s of what is known allocates %v times, want 0", tt.name, got)
		}
	}
}

// AppendImage is what each heartbeat costs.
func TestAppendImageAllocatesNothing(t *testing.T) {
	m := aged(t, 1, 0)
	b := make([]byte, 0, MinImage)
	if got := testing.AllocsPerRun(100, func() { b = m.AppendImage(b[:0], 5) }); got != 0 {
		t.Errorf("AppendImage allocates %v times, want 0", got)
	}
}
