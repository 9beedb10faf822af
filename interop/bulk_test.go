package interop

import (
	"bytes"
	"testing"
)

// The digests of this test were printed by EchoPeer, as the bulkDone event of the same series.
func TestSeriesDigest(t *testing.T) {
	tests := []struct {
		name   string
		series series
		count  int
		want   string
	}{
		{"mix", series{1, mix}, 1000, ""},
		{"other seed", series{0xfedcba9876543210, mix}, 100, ""},
		{"limit", series{7, 300}, 1000, ""},
		{"nothing but empty messages", series{7, 0}, 3, ""},
	}
	for _, test := range tests {
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
