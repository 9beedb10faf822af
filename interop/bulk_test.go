package interop

import (
	"bytes"
	"testing"
)

// goldenSeries holds digests as EchoPeer printed them, in its bulkDone event. TestControlSeries lets it do so again.
var goldenSeries = []struct {
	name   string
	series series
	count  int
	want   string
}{
	{"mix", series{1, mix}, 1000, "3514a60feb936cd0d1b7522319eb7740be22f00d6dc04315d4ec4cb35658c115"},
	{"large seed", series{0xfedcba9876543210, mix}, 100, "970484f267f5297c1b71eba314a445c83477fa73b8cc70218abae8b941d32b52"},
	{"limit", series{7, 300}, 1000, "a65d63245ea050f5041bfb4adb5e5edeced2b559ac90966d9318b84e1ea1e7d1"},
	{"empty", series{7, 0}, 3, "1a03c02fb531d7e1ce353b2f20711c79af2b66730d6de865fb130734973ccd2c"},
}

func TestSeriesDigest(t *testing.T) {
	for _, test := range goldenSeries {
		t.Run(test.name, func(t *testing.T) {
			if got := test.series.digest(test.count); got != test.want {
				t.Errorf("%+v.digest(%d) = %s, want %s", test.series, test.count, got, test.want)
			}
		})
	}
}

func TestMixSizes(t *testing.T) {
	const count = 10_000
	s := series{42, mix}
	var empty, small, large, huge int
	for i := range count {
		n := s.length(i, xorshift(s.seed+uint64(i)))
		switch {
		case n == 0:
			empty++
		case n == hugeSize:
			huge++
		case i%largeEvery == largeEvery-1 && n <= largeSize:
			large++
		case n <= smallSize:
			small++
		default:
			t.Errorf("message %d has %d bytes", i, n)
		}
	}
	if empty < count/emptyEvery || small+empty != 9900 || large != 90 || huge != 10 {
		t.Errorf("mix of %d = %d empty, %d small, %d large, %d huge; want 200 or a few more empty, 9900 small with them, 90, 10",
			count, empty, small, large, huge)
	}
}

func TestMessageStandsAlone(t *testing.T) {
	s := series{3, 100}
	first := s.message(5)
	s.message(4)
	if again := s.message(5); !bytes.Equal(first, again) {
		t.Errorf("message(5) = %x, and %x a second time", first, again)
	}
	if other := (series{4, 100}).message(5); bytes.Equal(first, other) {
		t.Errorf("message(5) = %x with two seeds", first)
	}
}
