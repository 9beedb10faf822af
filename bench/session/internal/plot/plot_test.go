package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// wellFormed fails if the picture is no XML.
func wellFormed(t *testing.T, b []byte) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(string(b))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, b)
		}
	}
}

func TestBars(t *testing.T) {
	b := DrawBars("a < b & c", []Bars{{"panel <1>", []Bar{{"half", 50, 0}, {"whole", 100, 1}, {"not measured", -1, 2}, {"nothing", 0, -1}}}, {"empty", nil}})
	wellFormed(t, b)
	for _, want := range []string{"a &lt; b", `width="290.0"`, `width="580.0"`, ">100<", ">-<"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%q is missing in\n%s", want, b)
		}
	}
}

func TestLines(t *testing.T) {
	b := DrawLines("lines", []Lines{
		{Title: "a", Lines: []Line{{Name: "l", X: []float64{0, 1, 2}, Y: []float64{0, 10, 20}}, {Name: "p", X: []float64{0, 1}, Y: []float64{0, 5}, Points: true}}, From: 1, To: 3},
		{Title: "empty"},
	})
	wellFormed(t, b)
	if n := strings.Count(string(b), "<circle"); n != 1 {
		t.Errorf("%d points, want one: where the value is 0 there is none", n)
	}
	if !strings.Contains(string(b), `points="64.0,172.0 387.0,117.0 710.0,62.0"`) {
		t.Errorf("the curve is not where it should be:\n%s", b)
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.123: "0.123", 7: "7", 99.5: "99.5", 1234: "1234", 12345: "12.3 k", 2_500_000: "2.5 M"} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestStep(t *testing.T) {
	for most, want := range map[float64]float64{0: 1, 4: 1, 5: 2, 20: 5, 100: 50, 900: 500, 0.3: 0.1} {
		if got := step(most); got < want*0.999 || got > want*1.001 {
			t.Errorf("step(%v) = %v, want %v", most, got, want)
		}
	}
}
