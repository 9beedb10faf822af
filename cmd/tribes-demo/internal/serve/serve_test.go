package serve

import (
	"strings"
	"testing"
)

func TestWrongUseIsOneLine(t *testing.T) {
	tests := []struct{ args, err string }{
		{"-x", "not defined: -x"},
		{"-manager local now", `unexpected argument "now"`},
		{"-manager backup -backups 0", "-backups 0: want 1 to 100"},
		{"-manager delta -backups 2", "-backups is for -manager backup"},
		{"-manager backup -stores 2", "-stores is for -manager client"},
		{"-manager client -cluster 2 -stores 17", "-stores 17: want 0 to 16"},
		{"-budget -1s", "-budget -1s: want a positive duration"},
		{"-manager backup -wait written", "-wait written is not for -manager backup"},
		{"-manager client -store file:x", `-store "file:x" is for -manager persistent, delta and full`},
		{"-manager persistent -store disk:x", `-store "disk:x": want file:DIR`},
		{"-manager magic", "-manager \"magic\": want one of local|"},
		{"-manager local -store redis://x", "is for -manager persistent"},
		{"-manager local -wait soon", "-wait \"soon\""},
		{"-manager local -listen here", "-listen \"here\""},
		{"-manager local -timeout 0s", "-timeout 0s"},
		{"-manager local -for -1s", "-for -1s"},
		{"-manager local -http :1", "-http"},
		{"-manager local -name a.b -listen 127.0.0.1:0", `route "a.b"`},
		{"-manager local -cluster 3x", `-cluster "3x"`},
		{"-manager local -cluster 0", `-cluster "0"`},
		{"-manager local -cluster 5x5", `-cluster "5x5"`},
		{"-manager local -cluster 2 -id 000102030405060708090a0b0c0d0e0f", "-id (RN_ID) is for one node"},
		{"-cluster 2 -manager persistent", "-manager persistent needs a -store"},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			var out, errs strings.Builder
			status := Run(t.Context(), strings.Fields(tt.args), &out, &errs)
			if status != exitUsage || out.Len() > 0 || strings.Count(errs.String(), "\n") != 1 || !strings.Contains(errs.String(), tt.err) {
				t.Errorf("status %d, standard output %q, standard error %q: want status 2 and one line with %q",
					status, out.String(), errs.String(), tt.err)
			}
		})
	}
}
