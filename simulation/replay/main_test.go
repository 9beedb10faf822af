package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestTagged(t *testing.T) {
	tests := []struct{ args, want string }{
		{"", "-tags replay"},
		{"-run X ./simulation -simulation.seed 1", "-tags replay -run X ./simulation -simulation.seed 1"},
		{"-tags mutants -race ./x", "-tags replay,mutants -race ./x"},
		{"-race --tags=a,b ./x", "-tags replay,a,b -race ./x"},
		{"./x -args -tags y", "-tags replay ./x -args -tags y"},
		{"./x -tags", "-tags replay, ./x"},
	}
	for _, test := range tests {
		if got := tagged(strings.Fields(test.args)); !slices.Equal(got, strings.Fields(test.want)) {
			t.Errorf("%q: %q, want %q", test.args, got, test.want)
		}
	}
}
