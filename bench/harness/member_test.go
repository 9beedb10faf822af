package harness

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/gotribes/tribes/bench/internal/command"
)

// echo is a driver whose members deliver to themselves.
type echo struct{ fail error }

func (echo) Name() string { return "echo" }

func (e echo) Open(_ context.Context, c MemberConfig) (Node, error) {
	if e.fail != nil {
		return nil, e.fail
	}
	c.View(c.N - 1)
	return echoNode{c}, nil
}

type echoNode struct{ c MemberConfig }

func (n echoNode) Others() int  { return n.c.N - 1 }
func (n echoNode) Close() error { return nil }

func (n echoNode) Sender(kind Kind, to []int, completed func()) (func([]byte) error, error) {
	if kind == RPC {
		return nil, ErrKind(kind)
	}
	return func(p []byte) error {
		for range to {
			n.c.Received(p)
		}
		completed()
		if kind == UseAck {
			return errors.New("no luck")
		}
		return nil
	}, nil
}

// dialogue drives a member process in this process.
type dialogue struct {
	t      *testing.T
	stdin  *io.PipeWriter
	events chan reply // closed at the end
	status chan int
}

func talk(t *testing.T, args ...string) *dialogue {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	d := &dialogue{t: t, stdin: inW, events: make(chan reply, 1000), status: make(chan int, 1)}
	var done sync.WaitGroup
	done.Go(func() { // ends at quit
		d.status <- run(args, echo{}, inR, outW, io.Discard)
		outW.Close()
	})
	done.Go(func() { // ends with the output
		defer close(d.events)
		for in := bufio.NewScanner(outR); in.Scan(); {
			var r reply
			if err := json.Unmarshal(in.Bytes(), &r); err != nil {
				t.Errorf("%q: %v", in.Text(), err)
			}
			d.events <- r
		}
	})
	t.Cleanup(func() {
		inW.Close()
		done.Wait()
	})
	return d
}

func (d *dialogue) expect(ev string) reply {
	d.t.Helper()
	for r := range d.events {
		if r.Ev == ev {
			return r
		}
		if ev == "boot" {
			d.t.Fatalf("first event %q, want boot", r.Ev)
		}
	}
	d.t.Fatalf("no event %q", ev)
	return reply{}
}

func (d *dialogue) say(line string) {
	d.t.Helper()
	if _, err := io.WriteString(d.stdin, line+"\n"); err != nil {
		d.t.Fatal(err)
	}
}

func TestMemberProtocol(t *testing.T) {
	d := talk(t, "-id", "1", "-n", "3", "-base", "5000", "-opts", "a=b")
	d.expect("boot")
	if r := d.expect("view"); r.N != 2 {
		t.Errorf("view %d, want 2", r.N)
	}
	d.expect("ready")
	d.say("members")
	if r := d.expect("members"); r.N != 2 {
		t.Errorf("members %d, want 2", r.N)
	}
	d.say("mark")
	before := d.expect("mark")
	d.say("start sync 100 2 all")
	d.expect("started")
	var after reply
	for after.N == 0 {
		d.say("mark")
		after = d.expect("mark")
	}
	d.say("stop")
	d.expect("stopped")
	if after.Recv-before.Recv < 2*after.N || after.Sent < after.N || after.Done < after.N {
		t.Errorf("mark after %d calls to 2 members: %+v", after.N, after)
	}
	if after.RecvBytes < 100*(after.Recv-4) || after.T <= before.T || after.P999 < after.P50 {
		t.Errorf("marks %+v, %+v", before, after)
	}
	d.say("quit")
	if status := <-d.status; status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
}

func TestMemberReportsErrorsOfTheLoad(t *testing.T) {
	d := talk(t, "-n", "2")
	d.say("start useack 10 1 one")
	d.expect("started")
	var r reply
	for r.Errs == 0 {
		d.say("mark")
		r = d.expect("mark")
	}
	if r.LastErr != "no luck" || r.Sent != 0 {
		t.Errorf("mark %+v, want the error and nothing sent", r)
	}
}

func TestMemberRefusesWhatItCannotDo(t *testing.T) {
	d := talk(t, "-n", "2")
	d.expect("ready")
	for _, line := range []string{"start rpc 10 1 one", "start sync 0 1 one", "start sync 10 0 one", "start sync 10 1 two", "start sync"} {
		d.say(line)
		if r := d.expect("started"); r.Err == "" {
			t.Errorf("%q was not refused", line)
		}
	}
	d.say("dance")
	if r := d.expect("error"); !strings.Contains(r.Err, "dance") {
		t.Errorf("unknown command: %+v", r)
	}
}

func TestMemberHelp(t *testing.T) {
	var out, errs strings.Builder
	status := run([]string{"-h"}, echo{}, strings.NewReader(""), &out, &errs)
	if status != 0 || errs.Len() > 0 || !strings.Contains(out.String(), "start KIND") || !strings.Contains(out.String(), "-base") {
		t.Errorf("exit status %d, help %q, standard error %q", status, out.String(), errs.String())
	}
}

func TestMemberUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		fail error
		want int
	}{
		{"unknown flag", []string{"-x"}, nil, 2},
		{"argument", []string{"now"}, nil, 2},
		{"ports beyond the last", []string{"-base", "65535", "-n", "2"}, nil, 2},
		{"id too large", []string{"-id", "2", "-n", "2"}, nil, 2},
		{"unknown driver", []string{"-driver", "pigeon"}, nil, 2},
		{"bad opts", []string{"-opts", "a"}, nil, 2},
		{"open fails", nil, errors.New("port taken"), 1},
		{"open fails twice", nil, errors.Join(errors.New("port taken"), errors.New("no group")), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stderr strings.Builder
			got := run(tt.args, echo{tt.fail}, strings.NewReader(""), io.Discard, &stderr)
			if got != tt.want || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("exit status %d, want %d; one line on standard error, got %q", got, tt.want, stderr.String())
			}
		})
	}
}

// run runs a member as the command does and returns its exit status.
func run(args []string, d Driver, stdin io.Reader, stdout, stderr io.Writer) int {
	return command.Run("bench member", stderr, func(ctx context.Context) error {
		return runMember(ctx, args, []Driver{d}, stdin, stdout)
	})
}
