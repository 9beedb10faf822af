package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gotribes/tribes/bench/session/internal/compare"
	"github.com/gotribes/tribes/bench/session/internal/failure"
	"github.com/gotribes/tribes/bench/session/internal/stock"
)

const plotUsage = `usage: session plot -from FILE,... [flags]

Draws what other forms have written with -json as SVG: rates, times and bytes by column;
how a failure went on; memory.

`

type plotSettings struct{ from, to string }

func (s *plotSettings) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("plot", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&s.from, "from", "", "`files` with results; a list")
	fs.StringVar(&s.to, "to", ".", "`folder` for the pictures")
	return fs
}

func (s *plotSettings) check() error {
	if s.from == "" {
		return errors.New("-from: want at least one file")
	}
	return nil
}

// drawer has results that can be drawn: SVGs by the names of their files.
type drawer interface{ Figures() map[string][]byte }

func (s *plotSettings) measure(_ context.Context, stdout, _ io.Writer) error {
	if err := os.MkdirAll(s.to, 0o755); err != nil {
		return err
	}
	drawn := make(map[string]bool)
	for name := range strings.SplitSeq(s.from, ",") {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		d, err := results(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all := d.Figures()
		for _, file := range slices.Sorted(maps.Keys(all)) {
			to := filepath.Join(s.to, file)
			if drawn[to] {
				return fmt.Errorf("%s: %s shows another file already: want a folder for each", name, to)
			}
			drawn[to] = true
			if err := os.WriteFile(to, all[file], 0o644); err != nil {
				return err
			}
			fmt.Fprintln(stdout, to)
		}
	}
	return nil
}

// results reads a file of any form.
func results(b []byte) (drawer, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil {
		return nil, err
	}
	var d drawer
	switch {
	case keys["results"] != nil:
		d = new(compare.File)
	case keys["failures"] != nil:
		d = new(failure.File)
	case keys["stock"] != nil:
		d = new(stock.File)
	default:
		return nil, errors.New("no results of this command")
	}
	return d, json.Unmarshal(b, d)
}
