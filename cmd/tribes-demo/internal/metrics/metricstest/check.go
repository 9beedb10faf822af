// Package metricstest is for tests of pages with metrics.
package metricstest

import (
	"regexp"
	"strings"
	"testing"
)

var (
	commentLine = regexp.MustCompile(`^# (HELP|TYPE) (tribes_[a-z_]+) (.+)$`)
	sampleLine  = regexp.MustCompile(`^(tribes_[a-z_]+)(\{([a-z]+="([^"\\]|\\["\\n])*",?)*\})? [-+0-9.e]+$`)
)

// Check parses a page as Prometheus would: each family has HELP and TYPE once, before its
// samples, and no sample is there twice. It fails the test if something of want is missing.
func Check(t testing.TB, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("metrics have no %q:\n%s", w, text)
		}
	}
	seen, family, kind := make(map[string]bool), "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if c := commentLine.FindStringSubmatch(line); c != nil {
			if c[1] == "HELP" {
				family, kind = c[2], ""
			} else {
				kind = c[3]
			}
			if seen[c[1]+c[2]] || c[2] != family {
				t.Errorf("%q: twice, or in the wrong place", line)
			}
			seen[c[1]+c[2]] = true
			continue
		}
		s := sampleLine.FindStringSubmatch(line)
		if s == nil || seen[s[1]+s[2]] {
			t.Errorf("%q: no sample, or there twice", line)
			continue
		}
		seen[s[1]+s[2]] = true
		name := s[1]
		if kind == "summary" {
			name = strings.TrimSuffix(strings.TrimSuffix(name, "_sum"), "_count")
		}
		if name != family || kind == "" || kind == "counter" != strings.HasSuffix(name, "_total") {
			t.Errorf("%q: a sample of family %q, kind %q", line, family, kind)
		}
	}
}
