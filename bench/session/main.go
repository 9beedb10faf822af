package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gotribes/tribes/bench/internal/command"
	"github.com/gotribes/tribes/bench/session/internal/load"
	"github.com/gotribes/tribes/bench/session/internal/place"
	"github.com/gotribes/tribes/bench/session/internal/system"
)

const usage = `usage: session [flags]
       session failure [flags]
       session memory [flags]
       session plot -from FILE,... [flags]

Measures HTTP session stores side by side and prints tables of medians: rates and
times of requests, what replication adds, bytes between nodes, and what was lost.
The peers are brought by bench/session/peers/install.

Nodes run in network namespaces if this process may make them, else on loopback,
where bytes between nodes are not counted. The second form breaks nodes under load, the
third makes many sessions and takes stock, the fourth draws pictures of what the others
have written; all take -h.

`

// maxNodes of a store.
const maxNodes = 16

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// settings are the flags of all forms.
type settings struct {
	columns, net, json string
	demo, build, java  string
}

// subcommand is one form of the command.
type subcommand interface {
	flags() *flag.FlagSet
	check() error
	measure(ctx context.Context, stdout, stderr io.Writer) error
}

func run(args []string, stdout, stderr io.Writer) int {
	var s subcommand = new(compareSettings)
	text := usage
	if len(args) > 0 {
		switch args[0] {
		case "failure":
			s, text, args = new(failureSettings), failureUsage, args[1:]
		case "memory":
			s, text, args = new(memorySettings), memoryUsage, args[1:]
		case "plot":
			s, text, args = new(plotSettings), plotUsage, args[1:]
		}
	}
	return command.Run("session", stderr, func(ctx context.Context) error {
		help := func(w io.Writer) { fmt.Fprint(w, text, names()) }
		if err := command.Parse(s.flags(), args, stdout, help); err != nil {
			return err
		}
		if err := s.check(); err != nil {
			return command.Usage{Err: err}
		}
		return s.measure(ctx, stdout, stderr)
	})
}

// common are the flags of all subcommands.
func (s *settings) common(fs *flag.FlagSet) {
	fs.StringVar(&s.net, "net", "auto", "`where` the nodes run: namespaces, loopback, or auto")
	fs.StringVar(&s.demo, "tribes-demo", "", "the `program` tribes-demo (default built from this repository)")
	fs.StringVar(&s.build, "peers", ".build/session", "the `folder` that peers/install has filled")
	fs.StringVar(&s.java, "java", "-Xms512m -Xmx1g", "`options` of each Java virtual machine")
}

// isolation tells whether nodes get networks of their own.
func isolation(net string) (bool, error) {
	able := place.CanIsolate()
	switch net {
	case "auto":
		return able == nil, nil
	case "namespaces":
		if able != nil {
			return false, fmt.Errorf("-net namespaces: %w", able)
		}
		return true, nil
	case "loopback":
		return false, nil
	}
	return false, fmt.Errorf("-net %q: want namespaces, loopback or auto", net)
}

// kit finds or builds the programs, and makes a folder for their files.
func (s *settings) kit(ctx context.Context) (k system.Kit, dir string, err error) {
	if dir, err = os.MkdirTemp("", "session-bench-"); err != nil {
		return k, "", err
	}
	k = system.Kit{Demo: s.demo, Build: s.build, JavaOpts: strings.Fields(s.java)}
	if k.Demo == "" {
		if k.Demo, err = system.BuildDemo(ctx, dir); err != nil {
			return k, "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	return k, dir, nil
}

// outcome is what a form has measured.
type outcome interface {
	Table(w io.Writer)
	WriteJSON(file string) error
}

// show brings the programs, into kit and with a folder at dir, measures, and shows what
// came out.
func (s *settings) show(ctx context.Context, stdout io.Writer, kit *system.Kit, dir *string, measure func() (outcome, error)) (err error) {
	if *kit, *dir, err = s.kit(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(*dir)) }()
	o, err := measure()
	if err != nil {
		return err
	}
	o.Table(stdout)
	if s.json != "" {
		return o.WriteJSON(s.json)
	}
	return nil
}

// names lists what flags can name.
func names() string {
	var b strings.Builder
	b.WriteString("columns:\n")
	for _, c := range system.Columns() {
		fmt.Fprintln(&b, "  "+c.Name)
	}
	for name, list := range system.Sets {
		fmt.Fprintf(&b, "  %s: %s\n", name, list)
	}
	b.WriteString("\nworkloads:\n")
	for _, l := range load.Workloads() {
		fmt.Fprintf(&b, "  %-14s %s (%d connections)\n", l.Name, l.Text, l.Conns)
	}
	b.WriteString("\n")
	return b.String()
}
