package metrics

import "testing"

func TestLabelsAreEscaped(t *testing.T) {
	var p Page
	p.Sample("x", 1, "reason", "a\"b\\c\nd\xff")
	if got, want := p.b.String(), `tribes_x{reason="a\"b\\c\nd?"} 1`+"\n"; got != want {
		t.Errorf("sample %q, want %q", got, want)
	}
}
