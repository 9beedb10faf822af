//go:build interop

package interop

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gotribes/tribes/message"
)

// Options of a send, as bits of the Tribes frame.
const (
	optByte      = 0x01
	optAck       = 0x02
	optSync      = 0x02 | 0x04
	optAsync     = 0x08
	optUDP       = 0x20
	optMulticast = 0x40
)

// bulkSend is one series on its way out of a Java node.
type bulkSend struct {
	To      string // "all", an address or an id
	Options int
	Series  series
	Count   int
	Threads int // that send at the same time; 1 by default, and only then in order
	Rate    int // messages per second; as fast as possible by default
}

// bulkResult is what the sender says about a series. Everything not in Failed was reported as sent.
type bulkResult struct {
	event
	Failures map[int]event // by index of the message
	Retries  map[int]event // by index: sent, but not at the first attempt, so it may have arrived twice
}

// startBulk begins to send and returns the number to give to bulkDone.
func (p *peer) startBulk(b bulkSend) int {
	p.t.Helper()
	return p.command(fmt.Sprintf("bg sendbulk %s %d %d %d %s %d %d",
		b.To, b.Options, b.Series.seed, b.Count, b.Series.profile, max(b.Threads, 1), b.Rate))
}

// bulkDone waits until every message of the series has its outcome.
func (p *peer) bulkDone(ctx context.Context, number int) bulkResult {
	p.t.Helper()
	r := bulkResult{event: p.answer(ctx, number, "bulkDone")}
	mine := func(e event) bool { return e.Re == number }
	r.Failures = byIndex(p.events("bulkFailed", mine))
	r.Retries = byIndex(p.events("bulkRetried", mine))
	return r
}

func byIndex(events []event) map[int]event {
	m := make(map[int]event, len(events))
	for _, e := range events {
		m[e.Index] = e
	}
	return m
}

// bulk sends a series and fails the test unless all of it was sent and was what Go would have sent.
func (p *peer) bulk(ctx context.Context, b bulkSend) bulkResult {
	p.t.Helper()
	r := p.bulkDone(ctx, p.startBulk(b))
	if r.Sent != b.Count || r.Failed != 0 {
		p.t.Fatalf("%s: %d of %d messages sent, failed: %v", p.name, r.Sent, b.Count, r.Failures)
	}
	if want := b.Series.digest(b.Count); r.Digest != want {
		p.t.Fatalf("%s: made another series than Go: digest %s, want %s", p.name, r.Digest, want)
	}
	return r
}

// record is one message that a quiet node received.
type record struct {
	fromID   string
	uniqueID string
	sha256   string
	length   int
	repeat   bool            // the same sender's unique id came before
	options  message.Options // known of members of this module in the process of the test
}

// received is what the node recorded while it was quiet, in order of arrival, from one sender's id or from "all".
func (p *peer) received(ctx context.Context, fromID string) []record {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "received")
	e := p.call(ctx, fmt.Sprintf("received %s %s", fromID, file), "received")
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatalf("%s: received: %v", p.name, err)
	}
	records := make([]record, 0, e.Count)
	for line := range strings.Lines(string(text)) {
		r, err := parseRecord(strings.Fields(line))
		if err != nil {
			p.t.Fatalf("%s: received %q: %v", p.name, line, err)
		}
		records = append(records, r)
	}
	if len(records) != e.Count {
		p.t.Fatalf("%s: received says %d, its file has %d", p.name, e.Count, len(records))
	}
	return records
}

// parseRecord reads a line of the file that the received command writes.
func parseRecord(fields []string) (record, error) {
	if len(fields) != 5 {
		return record{}, fmt.Errorf("%d fields, want 5", len(fields))
	}
	length, err := strconv.Atoi(fields[3])
	return record{fromID: fields[0], uniqueID: fields[1], sha256: fields[2], length: length, repeat: fields[4] == "repeat"}, err
}

// hash is the SHA-256 of message i in the form that Java nodes report it.
func (s series) hash(i int) string { return hashOf(s.message(i)) }

// hashOf is the SHA-256 of b in hex.
func hashOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// order says if checkSeries asks for the order of sending.
type order bool

const (
	inOrder  order = true
	anyOrder order = false
)

// awaitReceived waits until the node has recorded count different messages since it was told to be quiet.
func (p *peer) awaitReceived(ctx context.Context, count int) {
	p.t.Helper()
	p.call(ctx, fmt.Sprintf("await %d", count), "reached")
}

// checkSeries fails the test unless got is the series: each message once, unharmed, nothing else. Repeats fail it too.
func checkSeries(t *testing.T, got []record, s series, count int, o order) {
	t.Helper()
	complain(t, compareSeries(got, s, count, o))
}

// complain fails the test if anything is wrong.
func complain(t *testing.T, wrong []string) {
	t.Helper()
	const shown = 10
	for _, w := range wrong[:min(shown, len(wrong))] {
		t.Error(w)
	}
	if len(wrong) > shown {
		t.Errorf("and %d more", len(wrong)-shown)
	}
}

// compareSeries says in words how got differs from the series.
func compareSeries(got []record, s series, count int, o order) []string {
	wrong, missing := matchSeries(got, s, count, o)
	for h, indexes := range missing {
		for _, i := range indexes {
			wrong = append(wrong, fmt.Sprintf("message %d with hash %s did not arrive", i, h))
		}
	}
	return wrong
}

// matchSeries says in words what is wrong with those that arrived, and returns the indexes of those that did not, by
// hash.
func matchSeries(got []record, s series, count int, o order) (wrong []string, missing map[string][]int) {
	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	missing = make(map[string][]int, count) // short messages may be alike
	for i := range count {
		h := s.hash(i)
		missing[h] = append(missing[h], i)
	}
	last := -1
	for n, r := range got {
		if r.repeat {
			note("message %s, number %d to arrive, came before", r.uniqueID, n)
			continue
		}
		indexes := missing[r.sha256]
		if len(indexes) == 0 {
			note("number %d to arrive, %d bytes with hash %s, was not sent", n, r.length, r.sha256)
			continue
		}
		i := indexes[0]
		missing[r.sha256] = indexes[1:]
		if o == inOrder && i < last {
			note("message %d arrived after message %d", i, last)
		}
		last = max(last, i)
	}
	return wrong, missing
}
