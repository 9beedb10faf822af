package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"

	"github.com/gotribes/tribes/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		args []string
		err  error
		want int
		out  string
		errs string
	}{
		{nil, nil, ExitOK, "", ""},
		{[]string{"-n", "3"}, errors.New("no luck"), ExitError, "", "do: no luck\n"},
		{nil, Usage{errors.New("strange")}, ExitUsage, "", "do: strange\n"},
		{nil, fmt.Errorf("wrapped: %w", Usage{errors.New("strange")}), ExitUsage, "", "do: wrapped: strange\n"},
		{[]string{"-h"}, nil, ExitOK, "usage: do\n  -n int\n    \ta number\n", ""},
		{[]string{"-x"}, nil, ExitUsage, "", "do: flag provided but not defined: -x\n"},
		{[]string{"more"}, nil, ExitUsage, "", "do: unexpected argument \"more\"\n"},
	} {
		var out, errs bytes.Buffer
		status := Run("do", &errs, func(context.Context) error {
			fs := flag.NewFlagSet("do", flag.ContinueOnError)
			fs.SetOutput(io.Discard)
			fs.Int("n", 0, "a number")
			if err := Parse(fs, test.args, &out, func(w io.Writer) { fmt.Fprintln(w, "usage: do") }); err != nil {
				return err
			}
			return test.err
		})
		if status != test.want || out.String() != test.out || errs.String() != test.errs {
			t.Errorf("%q, %v: status %d, printed %q and %q", test.args, test.err, status, out.String(), errs.String())
		}
	}
}
