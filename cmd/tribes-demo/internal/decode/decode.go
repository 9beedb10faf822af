// Package decode is the subcommand that turns bytes off the wire into JSON, for
// people who look at a capture and for scripts that compare implementations.
package decode

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gotribes/tribes/membership"
)

const usage = `usage: tribes-demo decode [-kind auto|frame|member|heartbeat|ack] [-reencode] HEX | @FILE | -

Turns bytes off the wire, written in hexadecimal, into one JSON object per item.
HEX is one item; @FILE and - (standard input) hold one item per line.

An item that does not decode gives {"error":...,"offset":N}, and the exit status
is then 1. Wrong usage and unreadable files: exit status 2.

`

// Exit statuses.
const (
	exitOK    = 0
	exitItem  = 1 // an item did not decode
	exitUsage = 2
)

type options struct {
	kind     string
	reencode bool
}

// Run carries out the subcommand and returns its exit status.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var o options
	fs := flag.NewFlagSet("decode", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.kind, "kind", "auto", "`kind` of the items: auto, frame, member, heartbeat or ack; frame is one data\nframe, heartbeat what a multicast datagram carries")
	fs.BoolVar(&o.reencode, "reencode", false, "add what our own encoder makes of the decoded value")
	err := fs.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		fs.SetOutput(stdout)
		fs.PrintDefaults()
		return exitOK
	case err != nil:
		return complain(stderr, err.Error())
	case decoders[o.kind] == nil:
		return complain(stderr, fmt.Sprintf("-kind %q: want auto, frame, member, heartbeat or ack", o.kind))
	case fs.NArg() != 1:
		return complain(stderr, "want one argument: HEX, @FILE or - (see tribes-demo decode -h)")
	}
	out := &printer{enc: json.NewEncoder(stdout)}
	if item, ok := single(fs.Arg(0)); ok {
		out.print(one(item, o))
		return out.finish(stderr)
	}
	in, err := open(fs.Arg(0), stdin)
	if err != nil {
		return complain(stderr, err.Error())
	}
	defer in.Close()
	out.all(in, o)
	return out.finish(stderr)
}

func complain(stderr io.Writer, text string) int {
	fmt.Fprintln(stderr, "tribes-demo decode: "+text)
	return exitUsage
}

func open(arg string, stdin io.Reader) (io.ReadCloser, error) {
	switch arg {
	case "-":
		return io.NopCloser(stdin), nil
	case "@":
		return nil, errors.New("@: no file name")
	}
	return os.Open(strings.TrimPrefix(arg, "@"))
}

// single is the item that the command line itself holds, if it does.
func single(arg string) (item string, ok bool) {
	return arg, arg != "-" && !strings.HasPrefix(arg, "@")
}

// printer writes one line per item and remembers what went wrong.
type printer struct {
	enc    *json.Encoder
	failed bool  // an item did not decode
	err    error // reading or writing failed
}

func (p *printer) print(res *result) {
	p.failed = p.failed || res.Error != ""
	if err := p.enc.Encode(res); err != nil && p.err == nil {
		p.err = err
	}
}

// all decodes the items in in, one per line; blank lines are no items.
func (p *printer) all(in io.Reader, o options) {
	r := bufio.NewReader(in)
	for p.err == nil {
		line, err := r.ReadString('\n')
		if item := strings.TrimSpace(line); item != "" {
			p.print(one(item, o))
		}
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			p.err = err
		}
	}
}

func (p *printer) finish(stderr io.Writer) int {
	switch {
	case p.err != nil:
		return complain(stderr, p.err.Error())
	case p.failed:
		return exitItem
	}
	return exitOK
}

// one decodes a single item.
func one(item string, o options) *result {
	b := make([]byte, hex.DecodedLen(len(item)))
	if n, err := hex.Decode(b, []byte(item)); err != nil {
		return &result{Error: "not hexadecimal", Offset: &n}
	}
	res, err := decoders[o.kind](b)
	if err != nil {
		return failure(err)
	}
	if o.reencode {
		re, err := res.encode()
		if err != nil {
			return failure(err)
		}
		res.Reencoded = hex.EncodeToString(re)
	}
	return res
}

func failure(err error) *result {
	res := &result{Error: err.Error()}
	var fe *membership.FormatError
	if errors.As(err, &fe) {
		res.Error, res.Offset = fe.Reason.String(), &fe.Offset
	}
	return res
}
