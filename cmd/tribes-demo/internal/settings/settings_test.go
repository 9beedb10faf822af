package settings

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func environment(pairs ...string) func(string) string {
	env := make(map[string]string)
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		env[k] = v
	}
	return func(k string) string { return env[k] }
}

func TestEachSettingHasAnEffect(t *testing.T) {
	id := strings.Repeat("ab", 16)
	tests := []struct {
		env, flag, value string
		get              func(*Settings) any
		want             any
	}{
		{"RN_NAME", "name", "x", func(s *Settings) any { return s.Name }, "x"},
		{"RN_BIND", "bind", "10.0.0.1", func(s *Settings) any { return s.Bind }, "10.0.0.1"},
		{"RN_PORT", "port", "0", func(s *Settings) any { return s.Port }, 0},
		{"RN_AUTOBIND", "autobind", "7", func(s *Settings) any { return s.AutoBind }, 7},
		{"RN_MCAST_ADDR", "mcast-addr", "228.0.0.9", func(s *Settings) any { return s.McastAddr }, "228.0.0.9"},
		{"RN_MCAST_PORT", "mcast-port", "1234", func(s *Settings) any { return s.McastPort }, 1234},
		{"RN_FREQ_MS", "freq", "100", func(s *Settings) any { return s.Freq }, 100 * time.Millisecond},
		{"RN_DROP_MS", "drop", "9s", func(s *Settings) any { return s.Drop }, 9 * time.Second},
		{"RN_DOMAIN", "domain", "d", func(s *Settings) any { return s.Domain }, "d"},
		{"RN_STACK", "stack", "order, gzip", func(s *Settings) any { return strings.Join(s.Stack, "+") }, "order+gzip"},
		{"RN_STACK", "stack", "none", func(s *Settings) any { return len(s.Stack) }, 0},
		{"RN_QUIET", "quiet", "1", func(s *Settings) any { return s.Quiet }, true},
		{"RN_STATIC", "static", "10.0.0.1:4000,10.0.0.2:4001:" + id, func(s *Settings) any { return s.staticText() }, "10.0.0.1:4000,10.0.0.2:4001:" + id},
		{"RN_STATIC", "static", "[::1]:4000,cache.example:4001", func(s *Settings) any { return s.staticText() }, "[::1]:4000,cache.example:4001"},
		{"RN_ID", "id", id, func(s *Settings) any { return s.ID.String() }, id},
		{"RN_CHANNEL", "channel", "c", func(s *Settings) any { return s.Channel }, "c"},
		{"RN_CLOCK_OFFSET_MS", "clock-offset", "-5", func(s *Settings) any { return s.ClockOffset }, -5 * time.Millisecond},
		{"RN_HTTP", "http", "127.0.0.1:0", func(s *Settings) any { return s.HTTP }, "127.0.0.1:0"},
		{"RN_TLS_PORT", "tls-port", "4711", func(s *Settings) any { return s.TLS.Port }, 4711},
	}
	for _, tt := range tests {
		t.Run(tt.env+"="+tt.value, func(t *testing.T) {
			byEnv, _, err := Parse("x", nil, environment(tt.env+"="+tt.value), io.Discard, nil)
			if err != nil {
				t.Fatal(err)
			}
			byFlag, _, err := Parse("x", []string{"-" + tt.flag, tt.value}, environment(), io.Discard, nil)
			if err != nil {
				t.Fatal(err)
			}
			for how, s := range map[string]*Settings{"environment": byEnv, "flag": byFlag} {
				if got := tt.get(s); got != tt.want || !s.Given() {
					t.Errorf("by %s: %v, want %v", how, got, tt.want)
				}
			}
		})
	}
}

func TestStaticMembersSwitchMulticastOff(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want bool
	}{
		{"neither", nil, true},
		{"static", []string{"-static", "10.0.0.1:1"}, false},
		{"both", []string{"-static", "10.0.0.1:1", "-mcast", "1"}, true},
	}
	for _, tt := range tests {
		s, _, err := Parse("x", tt.args, environment(), io.Discard, nil)
		if err != nil || s.Mcast != tt.want {
			t.Errorf("%s: multicast %v, error %v; want %v", tt.name, s.Mcast, err, tt.want)
		}
	}
}

func TestWrongSettingsAreAllNamedOnOneLine(t *testing.T) {
	tests := []struct{ flag, value string }{
		{"bind", "nowhere"}, {"port", "-1"}, {"port", "65536"}, {"autobind", "0"},
		{"mcast-addr", "10.0.0.1"}, {"mcast-port", "0"}, {"freq", "soon"}, {"drop", "0"},
		{"stack", "encrypt"}, {"stack", "magic"}, {"quiet", "perhaps"}, {"static", "10.0.0.1"},
		{"tls-only", "1"}, {"tls-cert", "alone.pem"}, {"tls-port", "x"},
		{"static", "10.0.0.1:1:zz"}, {"static", "10.0.0.1:0"}, {"static", ":4000"}, {"static", "::1:4000"}, {"http", "8080"}, {"http", "127.0.0.1:x"}, {"id", "12"}, {"clock-offset", "x"}, {"drop", "600ms"},
	}
	for _, tt := range tests {
		_, _, err := Parse("x", []string{"-" + tt.flag, tt.value}, environment("RN_NAME=n"), io.Discard, nil)
		var usage *UsageError
		if !errors.As(err, &usage) || strings.Contains(err.Error(), "\n") {
			t.Errorf("-%s %s: %v, want a usage error of one line", tt.flag, tt.value, err)
		}
	}
	_, _, err := Parse("x", []string{"-port", "x", "-id", "y", "-z"}, environment("RN_BIND=w"), io.Discard, nil)
	for _, part := range []string{"RN_BIND", "-port", "-id", "-z"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("Parse = %v, want a mention of %s", err, part)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	var out strings.Builder
	_, _, err := Parse("x", []string{"-h"}, environment(), Help(&out, "INTRO\n"), nil)
	if !errors.Is(err, flag.ErrHelp) || !strings.HasPrefix(out.String(), "INTRO\n") {
		t.Fatalf("Parse = %v, help %q", err, out.String())
	}
	for _, f := range fields {
		if !strings.Contains(out.String(), "-"+f.flag) || !strings.Contains(out.String(), f.env) {
			t.Errorf("help has no -%s [%s]", f.flag, f.env)
		}
	}
}

// The flags of a subcommand come before those that all have.
func TestHelpBeginsWithOwnFlags(t *testing.T) {
	var out strings.Builder
	own := func(fs *flag.FlagSet) { fs.Int("zeal", 3, "how `much` of it") }
	if _, _, err := Parse("x", []string{"-h"}, environment(), Help(&out, "INTRO\n"), own); !errors.Is(err, flag.ErrHelp) {
		t.Fatal(err)
	}
	zeal, bind := strings.Index(out.String(), "-zeal much"), strings.Index(out.String(), "-bind address")
	if zeal < 0 || bind < zeal || !strings.Contains(out.String()[zeal:bind], "Those of tribes-demo node:") {
		t.Errorf("help is\n%s\nwant -zeal first, then those of tribes-demo node", &out)
	}
}

// A port is looked for unless the settings say which.
func TestSearchPort(t *testing.T) {
	for pair, want := range map[string]int{"RN_NAME=a": 100, "RN_PORT=4000": 1, "RN_AUTOBIND=3": 3} {
		s, _, err := Parse("x", nil, environment(pair), io.Discard, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.SearchPort(); s.AutoBind != want {
			t.Errorf("%s: %d ports, want %d", pair, s.AutoBind, want)
		}
	}
}

func TestArgs(t *testing.T) {
	own := func(fs *flag.FlagSet) { fs.Int("zeal", 3, "how `much` of it") }
	s, _, err := Parse("x", strings.Fields("-zeal 4 -mcast-port 5000 --domain=d"), environment("RN_NAME=a"), io.Discard, own)
	if err != nil || strings.Join(s.Args(), " ") != "-mcast-port=5000 -domain=d" {
		t.Errorf("%v, %v: want the flags of the member", s.Args(), err)
	}
}

func TestOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "a": "a", "a\nb": "a; b", "a\nb\na": "a; b", "no server:\n\tone is down\n\ttwo is down": "no server: one is down; two is down",
	} {
		if got := OneLine(errors.New(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestRowsHaveEverySetting(t *testing.T) {
	s, _, err := Parse("x", []string{"-port", "4711"}, environment(), io.Discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, r := range s.Rows() {
		got[r.Env] = r.Value
	}
	if len(got) != len(fields) || got["RN_PORT"] != "4711" || got["RN_ID"] != "(new at each start)" {
		t.Errorf("rows (want one per setting):\n%s", cmp.Diff(nil, got))
	}
}

func TestFlagsWin(t *testing.T) {
	s, _, err := Parse("x", []string{"-port", "2"}, environment("RN_PORT=1"), io.Discard, nil)
	if err != nil || s.Port != 2 {
		t.Errorf("port %v, error %v; want that of the flag, 2", s, err)
	}
}
