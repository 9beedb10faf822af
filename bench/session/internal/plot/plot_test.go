package plot

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
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
	if !strings.Contains(string(b), `points="64.0,188.0 372.0,133.0 680.0,78.0"`) {
		t.Errorf("the curve is not where it should be:\n%s", b)
	}
}

// A panel begins with the least X, and what is counted is marked with whole numbers.
func TestWholeX(t *testing.T) {
	b := string(DrawLines("nodes", []Lines{{Lines: []Line{{X: []float64{2, 3, 4}, Y: []float64{1, 1, 1}}}}}))
	if !strings.Contains(b, `points="64.0,78.0 372.0,78.0 680.0,78.0"`) || !strings.Contains(b, ">3<") || strings.Contains(b, ">2.5<") {
		t.Error(b)
	}
}

// However many lines there are, each can be told from the others and has room for its name.
func TestManyLines(t *testing.T) {
	var l Lines
	for i := range 20 {
		l.Lines = append(l.Lines, Line{Name: fmt.Sprint("line-", i), X: []float64{0, 1}, Y: []float64{0, 1}, Colour: i})
	}
	b := string(DrawLines("many", []Lines{l, {Title: "next"}}))
	looks := make(map[string]bool)
	for _, m := range regexp.MustCompile(`fill="none" (stroke="[^"]*") stroke-width="1.6" (stroke-dasharray="[^"]*")`).FindAllStringSubmatch(b, -1) {
		looks[m[1]+m[2]] = true
	}
	if len(looks) != len(l.Lines) {
		t.Errorf("%d lines look different, want %d", len(looks), len(l.Lines))
	}
	if last, next := height(t, b, ">line-19<"), height(t, b, ">next<"); next < last+15 {
		t.Errorf("the next panel begins at %v, the last name is at %v", next, last)
	}
}

// height is where a text is.
func height(t *testing.T, picture, text string) float64 {
	t.Helper()
	m := regexp.MustCompile(`y="([^"]*)"[^>]*` + text).FindStringSubmatch(picture)
	if m == nil {
		t.Fatalf("%s is missing in\n%s", text, picture)
	}
	y, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// Panels above each other can be compared: what is half as much is half as high.
func TestRows(t *testing.T) {
	row := func(name string, most float64) Row {
		line := Line{Name: "l", X: []float64{0, most}, Y: []float64{0, most}}
		return Row{name, []Lines{{X: "s", Y: "left", Lines: []Line{line}}, {X: "s", Y: "right", Lines: []Line{line}, From: 1, To: 2, End: 2}}}
	}
	b := string(DrawRows("rows <1>", []Row{row("first", 4), row("second", 2)}))
	wellFormed(t, []byte(b))
	for _, want := range []string{`points="64.0,180.0 412.0,96.0"`, `points="64.0,296.0 238.0,254.0"`, `points="494.0,296.0 668.0,254.0"`} {
		if !strings.Contains(b, want) {
			t.Errorf("%s is missing in\n%s", want, b)
		}
	}
	if above, first := height(t, b, ">second<"), 180.0; above < first+12 {
		t.Errorf("the second title is at %v, the panel above ends at %v", above, first)
	}
	if n := strings.Count(b, ">2<"); n != 4+2 {
		t.Errorf("%d numbers 2, want one on each vertical axis, and on the others below the last panels", n)
	}
	wellFormed(t, DrawRows("none", nil))

	// What takes much longer than the others must not make them too small to be seen.
	b = string(DrawRows("apart", []Row{row("short", 1), row("long", 10)}))
	for _, want := range []string{`points="64.0,180.0 412.0,171.6"`, `points="64.0,312.0 412.0,228.0"`} {
		if !strings.Contains(b, want) {
			t.Errorf("%s is missing in\n%s", want, b)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.123: "0.123", 7: "7", 99.5: "99.5", 1234: "1234", 12345: "12.3 k", 2_500_000: "2.5 M"} {
		if got := Number(v); got != want {
			t.Errorf("Number(%v) = %q, want %q", v, got, want)
		}
	}
}

// All marks of an axis have one unit.
func TestMark(t *testing.T) {
	for _, test := range []struct {
		v, most float64
		want    string
	}{{0, 2e4, "0"}, {5000, 1e4, "5 k"}, {1e4, 1e4, "10 k"}, {5000, 9000, "5000"}, {5e5, 2e6, "0.5 M"}, {0.25, 1, "0.25"}} {
		if got := mark(test.v, test.most); got != test.want {
			t.Errorf("mark(%v, %v) = %q, want %q", test.v, test.most, got, test.want)
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
