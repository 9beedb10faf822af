package bubble

import (
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	race := ""
	if raced {
		race = "-race "
	}
	tests := []struct{ test, flag, want string }{
		{"TestX/seed_7,_order", "x.seed", "-run '^TestX$' ./internal/bubble -x.seed 7"},
		{"TestX/seed_7", "", "-run '^TestX$/^seed_7$' ./internal/bubble"},
		{"TestX", "", "-run '^TestX$' ./internal/bubble"},
	}
	for _, test := range tests {
		if got, want := command(test.test, test.flag, 7), "go run ./simulation/replay "+race+test.want; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What is seeded is in a bubble.
func TestSeeded(t *testing.T) {
	real := time.Now()
	Seeded(t, "", 1, func(*testing.T) { time.Sleep(time.Hour) })
	if time.Since(real) > time.Minute {
		t.Error("an hour took its time")
	}
}
