package simulation

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"time"
)

var simTrace = flag.String("simulation.trace", "", "a file for the events of the seed that ran last")

// trace is what happened, one line an event, with its virtual time.
type trace struct{ lines bytes.Buffer }

// note adds an event. The caller holds w.mu.
func (w *world) note(format string, args ...any) {
	fmt.Fprintf(&w.trace.lines, "%v ", time.Since(w.begun))
	fmt.Fprintf(&w.trace.lines, format, args...)
	w.trace.lines.WriteByte('\n')
}

// sum is the hash of all events: runs with the same one are the same run.
func (t *trace) sum() string {
	h := fnv.New64a()
	h.Write(t.lines.Bytes())
	return fmt.Sprintf("%016x", h.Sum64())
}

func (t *trace) save() error {
	if *simTrace == "" {
		return nil
	}
	return os.WriteFile(*simTrace, t.lines.Bytes(), 0o600)
}
