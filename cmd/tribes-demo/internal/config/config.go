// Package config is the subcommand that prints the effective settings of a
// member: what the environment and the flags say, and every default.
package config

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"reflect"
	"text/tabwriter"
	"time"

	"github.com/gotribes/tribes/cmd/tribes-demo/internal/member"
	"github.com/gotribes/tribes/cmd/tribes-demo/internal/settings"
)

const intro = `usage: tribes-demo config [flags]

Prints the effective settings of a member: those of the environment and the
flags, which are those of tribes-demo node, and every default of its parts.

`

// Run carries out the subcommand and returns its exit status.
func Run(args []string, stdout, stderr io.Writer) int {
	s, rest, err := settings.Parse("config", args, os.Getenv, settings.Help(stdout, intro), nil)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q", rest[0])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "tribes-demo config:", err)
		return 2
	}
	parts, err := member.Parts(s)
	if err != nil {
		fmt.Fprintln(stderr, "tribes-demo config:", settings.OneLine(err))
		return 1
	}
	p := &printer{w: tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)}
	for _, row := range s.Rows() {
		fmt.Fprintf(p.w, "-%s\t%s\t%s\n", row.Flag, row.Value, row.Env)
	}
	for _, part := range parts {
		fmt.Fprintln(p.w)
		p.raw = part.Raw
		p.print(part.Name, reflect.ValueOf(part.Config))
	}
	if err := p.w.Flush(); err != nil {
		fmt.Fprintln(stderr, "tribes-demo config:", err)
		return 1
	}
	return 0
}

type printer struct {
	w   *tabwriter.Writer
	raw bool // zero stands for a default that the part fills in itself
}

// print writes a line for each exported field of v and of the structs in it.
// Functions, connections and other things without a text are left out unless
// they are set.
func (p *printer) print(name string, v reflect.Value) {
	_, plain := v.Interface().(fmt.Stringer)
	switch {
	case p.raw && v.IsZero():
		fmt.Fprintf(p.w, "%s\t(default)\n", name)
	case plain:
		fmt.Fprintf(p.w, "%s\t%s\n", name, text(v))
	case v.Type() == reflect.TypeFor[*tls.Config](): // which has keys in it
		if !v.IsNil() {
			fmt.Fprintf(p.w, "%s\t(set)\n", name)
		}
	case v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Struct:
		p.print(name, v.Elem())
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				p.print(name+"."+f.Name, v.Field(i))
			}
		}
	case v.Kind() == reflect.Func || v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer:
		if !v.IsNil() && v.Kind() != reflect.Func {
			fmt.Fprintf(p.w, "%s\t%v\n", name, v.Interface())
		}
	default:
		fmt.Fprintf(p.w, "%s\t%s\n", name, text(v))
	}
}

// never is how configurations write a time limit that is off.
const never = time.Duration(1<<63 - 1)

func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Duration:
		if x == never {
			return "never"
		}
		return x.String()
	case int:
		if x == int(^uint(0)>>1) {
			return "unbounded"
		}
		return fmt.Sprint(x)
	case string:
		return fmt.Sprintf("%q", x)
	}
	return fmt.Sprint(v.Interface())
}
