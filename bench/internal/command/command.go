package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	ExitOK    = 0
	ExitError = 1
	ExitUsage = 2
)

// Usage is a wrong command line.
type Usage struct{ Err error }

// Error tells what is wrong.
func (u Usage) Error() string { return u.Err.Error() }

// Unwrap returns the cause.
func (u Usage) Unwrap() error { return u.Err }

// Run carries out a command and returns its exit status: f until it returns or, when the
// program is interrupted, its context ends. A second interrupt ends the program at once.
// An error is told with the name of the command; flag.ErrHelp is none.
func Run(name string, stderr io.Writer, f func(context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	err := f(ctx)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return ExitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	if errors.As(err, new(Usage)) {
		return ExitUsage
	}
	return ExitError
}

// Parse reads flags, of which fs itself must print nothing. For -h it calls help, then
// prints the flags to stdout, and returns flag.ErrHelp; what is wrong is a Usage.
func Parse(fs *flag.FlagSet, args []string, stdout io.Writer, help func(io.Writer)) error {
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		help(stdout)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return err
	case err != nil:
		return Usage{err}
	case fs.NArg() > 0:
		return Usage{fmt.Errorf("unexpected argument %q", fs.Arg(0))}
	}
	return nil
}
