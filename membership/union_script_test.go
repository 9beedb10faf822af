package membership

import (
	"strings"
	"testing"
	"time"
)

// script is a line such as "0 joined a": part 0 tells that a has joined.
type script struct {
	line string
	told string // the event of the union, if any
	view string // members in the order of age, with their payload
}

var unionScripts = []struct {
	name  string
	lines []script
}{
	{"the first join counts", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"1 joined b", "joined b", "ba"},
		{"0 joined b", "", "ba"},
	}},
	{"failed when the last one has lost it", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"2 joined a", "", "a"},
		{"1 failed a", "", "a"},
		{"1 joined a", "", "a"},
		{"0 failed a", "", "a"},
		{"2 failed a", "", "a"},
		{"1 failed a", "failed a", ""},
		{"0 joined a", "joined a", "a"},
	}},
	{"a goodbye counts at once", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"1 left a", "left a", ""},
		{"0 failed a", "", ""},
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
	}},
	{"found too late", []script{
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
		{"1 joined a", "", ""},          // a heartbeat from before the goodbye
		{"1 updated a x", "", ""},       // still no proof of life
		{"1 left a", "", ""},            // now part 1 knows too
		{"2 joined a", "", ""},          // and part 2 does not
		{"1 joined a", "joined a", "a"}, // so this is a new life
		{"2 failed a", "", "a"},
	}},
	{"found too late and lost", []script{
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
		{"1 joined a", "", ""},
		{"1 failed a", "", ""},
		{"1 joined a", "joined a", "a"},
	}},
	{"found alive after the goodbye", []script{
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
		{"1 joined a +5", "joined a", "a"},
		{"2 joined a", "", "a"},
	}},
	{"a goodbye in the next life", []script{
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
		{"0 joined a", "joined a", "a"},
		{"0 left a", "left a", ""},
		{"1 joined a", "", ""},
		{"0 joined a", "joined a", "a"},
	}},
	{"a goodbye twice", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"0 left a", "left a", ""},
		{"1 left a", "", ""},
		{"1 joined a", "joined a", "a"},
	}},
	{"after a goodbye an update brings nobody back, a join does", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"1 left a", "left a", ""},
		{"0 updated a x", "", ""},
		{"1 joined a", "joined a:x", "a:x"}, // part 0 still has it and comes first
		{"0 failed a", "updated a", "a"},
		{"1 failed a", "failed a", ""},
	}},
	{"back for one part while another has it still", []script{
		{"0 joined a", "joined a", "a"},
		{"1 joined a", "", "a"},
		{"0 left a", "left a", ""},
		{"0 joined a", "joined a", "a"},
		{"0 failed a", "", "a"},
		{"1 failed a", "failed a", ""},
	}},
	{"an update that changes something", []script{
		{"0 joined a", "joined a", "a"},
		{"0 updated a x", "updated a:x", "a:x"},
		{"1 joined a x", "", "a:x"},
		{"1 updated a x", "", "a:x"},
		{"0 updated a y", "updated a:y", "a:y"},
	}},
	{"the first service describes the member", []script{
		{"1 joined a x", "joined a:x", "a:x"},
		{"0 joined a y", "updated a:y", "a:y"},
		{"1 updated a z", "", "a:y"},
		{"0 failed a", "updated a:z", "a:z"},
		{"0 joined a z", "", "a:z"},
		{"1 failed a", "", "a:z"},
	}},
	{"events about unknown members", []script{
		{"0 updated a", "", ""},
		{"0 failed a", "", ""},
		{"0 left a", "", ""},
		{"0 joined b", "joined b", "b"},
		{"1 failed b", "", "b"},
		{"1 updated b x", "", "b"},
		{"1 left b", "", "b"}, // part 1 never had it
	}},
}

func TestUnionEvents(t *testing.T) {
	for _, tt := range unionScripts {
		t.Run(tt.name, func(t *testing.T) {
			u, parts, told := union(t, 3)
			now := time.Now()
			for _, l := range tt.lines {
				*told = nil
				i, kind, m := parse(t, l.line)
				parts[i].tell(kind, m, now)
				got := ""
				for _, ev := range *told {
					got += ev.Kind.String() + " " + short(ev.Member)
					if ev.At != now {
						t.Errorf("%s: event at %v, want %v", l.line, ev.At, now)
					}
				}
				if got != l.told {
					t.Errorf("after %q the union told %q, want %q", l.line, got, l.told)
				}
				view := ""
				for _, m := range u.View().Members {
					view += short(m)
				}
				if view != l.view {
					t.Errorf("after %q the view is %q, want %q", l.line, view, l.view)
				}
			}
		})
	}
}

// parse reads a line of a script. Member b is older than a; a word such as +5
// makes it older by so many seconds, another one is its payload.
func parse(t *testing.T, line string) (part int, kind Kind, m *Member) {
	t.Helper()
	words := append(strings.Fields(line), "")
	for k := Joined; k <= Updated; k++ {
		if k.String() == words[1] {
			kind = k
		}
	}
	n := words[2][0] - 'a' + 1
	m = newMember(t, n, func(a *Attributes) {
		a.Alive = int64(n) * 1000
		if s, older := strings.CutPrefix(words[3], "+"); older {
			a.Alive += int64(s[0]-'0') * 1000
		} else {
			a.Payload = words[3]
		}
	})
	return int(words[0][0] - '0'), kind, m
}

func short(m *Member) string {
	s := string(rune('a' - 1 + m.Host().As4()[3]))
	if m.Payload() != "" {
		s += ":" + m.Payload()
	}
	return s
}
