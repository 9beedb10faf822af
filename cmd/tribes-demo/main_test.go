package main

import (
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// uses are command lines, with what is to be seen.
var uses = []struct {
	args   string
	status int
	out    string // part of standard output
	err    string // part of the one line on standard error
}{
	{"help", 0, "usage: tribes-demo [", ""},
	{"-h", 0, "usage: tribes-demo [", ""},
	{"-help", 0, "usage: tribes-demo [", ""},
	{"help node", 0, "usage: tribes-demo node", ""},
	{"help web", 0, "usage: tribes-demo web", ""},
	{"help decode", 0, "usage: tribes-demo decode", ""},
	{"help config", 0, "usage: tribes-demo config", ""},
	{"help doctor", 0, "usage: tribes-demo doctor", ""},
	{"help schema", 0, "usage: tribes-demo schema", ""},
	{"schema -dialect sqlite", 0, "CREATE TABLE", ""},
	{"schema", 2, "", "want -dialect"},
	{"node -h", 0, "usage: tribes-demo node", ""},
	{"decode -h", 0, "usage: tribes-demo decode", ""},
	{"config -h", 0, "usage: tribes-demo config", ""},
	{"doctor -h", 0, "usage: tribes-demo doctor", ""},
	{"version", 0, "tribes-demo ", ""},
	{"-version", 0, "tribes-demo ", ""},
	{"--version", 0, "tribes-demo ", ""},
	{"version now", 2, "", `unexpected argument "now"`},
	{"help dance", 2, "", `no help for "dance"`},
	{"dance", 2, "", `unknown subcommand "dance"`},
	{"-for 1s node", 2, "", `unexpected argument "node"`},
	{"-x", 2, "", "not defined: -x"},
	{"-for soon", 2, "", `"soon"`},
	{"-for -1s", 2, "", "-for"},
	{"-mcast-port 0", 2, "", "-mcast-port"},
	{"node -x", 2, "", "tribes-demo node: "},
	{"node now", 2, "", `unexpected argument "now"`},
	{"node -stack magic", 2, "", `unknown layer "magic"`},
	{"node -stack total", 2, "", "not built yet"},
	{"web -manager persistent", 2, "", "-manager persistent needs a -store"},
	{"help store", 0, "usage: tribes-demo store", ""},
	{"store now", 2, "", `unexpected argument "now"`},
	{"store -wait written", 2, "", `-wait "written": want none, one or all`},
	{"store -copies some", 2, "", `-copies "some": want backups or full`},
	{"store -backups 0", 2, "", "-backups 0: want 1 to 100"},
	{"store -budget 0s", 2, "", "-budget 0s: want a positive duration"},
	{"config now", 2, "", `unexpected argument "now"`},
	{"config -port x", 2, "", `-port "x"`},
	{"doctor now", 2, "", `unexpected argument "now"`},
	{"doctor -listen 0s", 2, "", "-listen"},
	{"doctor -static 10.0.0.1", 2, "", "ADDRESS:PORT"},
	{"decode", 2, "", "want one argument"},
	{"decode -kind x 00", 2, "", `-kind "x"`},
	{"decode @", 2, "", "no file name"},
	{"decode @/no/such/file", 2, "", "no such file"},
}

func TestHelpVersionAndWrongUse(t *testing.T) {
	for _, tt := range uses {
		t.Run(tt.args, func(t *testing.T) {
			var out, errs strings.Builder
			status := run(t.Context(), strings.Fields(tt.args), strings.NewReader(""), &out, &errs)
			if status != tt.status || !strings.Contains(out.String(), tt.out) || !strings.Contains(errs.String(), tt.err) {
				t.Errorf("status %d, want %d; standard output %q, want %q; standard error %q, want %q",
					status, tt.status, out.String(), tt.out, errs.String(), tt.err)
			}
			if lines := strings.Count(errs.String(), "\n"); tt.status == 2 && (lines != 1 || out.Len() > 0) || tt.status == 0 && lines > 0 {
				t.Errorf("standard output %q, standard error %q: want one line for a mistake and none for help", out.String(), errs.String())
			}
		})
	}
}
