package message

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/gotribes/tribes/membership"
)

func TestOutcome(t *testing.T) {
	tests := []struct {
		o    Outcome
		text string
		ok   bool
	}{
		{Acknowledged, "acknowledged", true},
		{Written, "written", true},
		{Refused, "refused", false},
		{NotSent, "not sent", false},
		{Unknown, "unknown", false},
		{0, "outcome 0", false},
		{6, "outcome 6", false},
	}
	for _, tt := range tests {
		if tt.o.String() != tt.text || tt.o.OK() != tt.ok {
			t.Errorf("Outcome(%d): String(), OK() = %q, %v, want %q, %v", uint8(tt.o), tt.o, tt.o.OK(), tt.text, tt.ok)
		}
	}
}

func TestErrTimeout(t *testing.T) {
	err := fmt.Errorf("waiting for an ack: %w", ErrTimeout)
	var timeout interface{ Timeout() bool }
	if !errors.Is(err, ErrTimeout) || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("%v must be ErrTimeout and answer Timeout with true", err)
	}
	if errors.Is(ErrTimeout, context.DeadlineExceeded) {
		t.Error("ErrTimeout must not be taken for the end of the caller's context")
	}
	if got, want := ErrTimeout.Error(), "tribes: timed out"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}

func TestRemoteError(t *testing.T) {
	tests := []struct{ reason, want string }{
		{"", "tribes: the listener at the destination failed"},
		{"disk full\n", `tribes: the listener at the destination failed: "disk full\n"`},
	}
	for _, tt := range tests {
		if got := (&RemoteError{Reason: tt.reason}).Error(); got != tt.want {
			t.Errorf("RemoteError{%q}.Error() = %q, want %q", tt.reason, got, tt.want)
		}
	}
}

func TestSendErrorText(t *testing.T) {
	m := func(n byte) *membership.Member { return newMember(t, n, nil) }
	tests := []struct {
		name    string
		results []Result
		want    string
	}{
		{"one of two", []Result{{Member: m(1), Outcome: Acknowledged}, {Member: m(2), Outcome: NotSent, Err: io.EOF}},
			"tribes: send: 1 of 2 destinations failed; 10.0.0.2:4000/02000000: not sent: EOF"},
		{"no cause", []Result{{Member: m(1), Outcome: Unknown}},
			"tribes: send: 1 of 1 destinations failed; 10.0.0.1:4000/01000000: unknown"},
		{"four of four", []Result{{Member: m(1), Outcome: Refused, Err: &RemoteError{}}, {Member: m(2), Outcome: NotSent, Err: io.EOF},
			{Member: m(3), Outcome: Unknown, Err: ErrTimeout}, {Member: m(4), Outcome: Unknown, Err: ErrTimeout}},
			"tribes: send: 4 of 4 destinations failed; 10.0.0.1:4000/01000000: refused: tribes: the listener at the destination failed; " +
				"10.0.0.2:4000/02000000: not sent: EOF; 10.0.0.3:4000/03000000: unknown: tribes: timed out; and 1 more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := (&SendError{Results: tt.results}).Error(); got != tt.want {
				t.Errorf("Error() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSendErrorCauses(t *testing.T) {
	a, b, c := newMember(t, 1, nil), newMember(t, 2, nil), newMember(t, 3, nil)
	err := fmt.Errorf("saving: %w", &SendError{ID: ID{1}, Results: []Result{
		{Member: a, Outcome: Acknowledged},
		{Member: b, Outcome: Refused, Err: &RemoteError{Reason: "full"}},
		{Member: c, Outcome: Unknown, Err: ErrTimeout, Retried: true},
	}})
	var se *SendError
	var remote *RemoteError
	if !errors.As(err, &se) || !errors.As(err, &remote) || remote.Reason != "full" || !errors.Is(err, ErrTimeout) || errors.Is(err, ErrTooLarge) {
		t.Errorf("the causes of %v are not found", err)
	}
	if got := se.Unwrap(); len(got) != 2 {
		t.Errorf("Unwrap() = %v, want two causes", got)
	}
	if r, ok := se.Result(c.Key()); !ok || r.Member != c || r.Outcome != Unknown || !r.Retried {
		t.Errorf("Result(%v) = %+v, %v", c, r, ok)
	}
	if r, ok := se.Result(newMember(t, 4, nil).Key()); ok {
		t.Errorf("Result of another member = %+v, want none", r)
	}
}
