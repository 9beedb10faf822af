package doctor

import (
	"fmt"
	"io"
)

// verdict says how a finding bears on the question whether a group can form.
type verdict uint8

const (
	fine verdict = iota
	note         // good to know
	warn         // may keep some members apart
	fail         // no group can form like this
)

var verdictText = [...]string{fine: "ok  ", note: "    ", warn: "WARN", fail: "FAIL"}

// report prints findings as they come and remembers the worst.
type report struct {
	w     io.Writer
	worst verdict
}

func (r *report) section(title string) { fmt.Fprintf(r.w, "\n%s\n", title) }

func (r *report) say(v verdict, format string, args ...any) {
	r.worst = max(r.worst, v)
	fmt.Fprintf(r.w, "  %s  %s\n", verdictText[v], fmt.Sprintf(format, args...))
}

// advise adds what can be done about the finding above it.
func (r *report) advise(format string, args ...any) {
	fmt.Fprintf(r.w, "        → %s\n", fmt.Sprintf(format, args...))
}
