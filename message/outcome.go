package message

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gotribes/tribes/membership"
)

// Outcome is what became of a message at one destination.
type Outcome uint8

// The outcomes.
const (
	// Acknowledged: the destination answered, in the sense the options ask for.
	Acknowledged Outcome = iota + 1
	// Written: no answer was asked for and the bytes were given to the network.
	Written
	// Refused: the destination has the message and its listener failed.
	Refused
	// NotSent: no byte of it left, or not all of a frame; it will not arrive.
	NotSent
	// Unknown: it was written but no answer came; it may have been processed.
	Unknown
)

var outcomeText = [...]string{
	Acknowledged: "acknowledged",
	Written:      "written",
	Refused:      "refused",
	NotSent:      "not sent",
	Unknown:      "unknown",
}

// String returns the outcome in lower case.
func (o Outcome) String() string {
	if o >= Acknowledged && o <= Unknown {
		return outcomeText[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// OK reports whether the outcome is one of success.
func (o Outcome) OK() bool { return o == Acknowledged || o == Written }

// Errors that say why a message was not sent or not answered. They are found in
// a [SendError] with errors.Is.
var (
	// ErrTooLarge: the message does not fit the frame limit or a datagram.
	ErrTooLarge = errors.New("tribes: message too large")
	// ErrTimeout: a time limit of the sender ran out. It answers Timeout with true.
	ErrTimeout error = timeoutError{}
)

type timeoutError struct{}

func (timeoutError) Error() string { return "tribes: timed out" }
func (timeoutError) Timeout() bool { return true }

// RemoteError means that the destination received the message and its listener
// failed. The connection is healthy; such an error never makes a suspect.
type RemoteError struct {
	Reason string // the listener's error, if the destination tells it
}

// Error implements error.
func (e *RemoteError) Error() string {
	if e.Reason == "" {
		return "tribes: the listener at the destination failed"
	}
	return fmt.Sprintf("tribes: the listener at the destination failed: %q", e.Reason)
}

// Result is the outcome of one send at one destination.
type Result struct {
	Member  *membership.Member
	Outcome Outcome
	Err     error // nil if Outcome.OK()
	Retried bool  // the message was written more than once: a Java node may deliver it twice
}

// SendError means that a message did not succeed at every destination. It lists
// the outcome at each one, successes too.
type SendError struct {
	ID      ID
	Results []Result
}

// Error names the destinations that failed.
func (e *SendError) Error() string {
	var b strings.Builder
	failed := 0
	for _, r := range e.Results {
		if r.Outcome.OK() {
			continue
		}
		if failed++; failed <= 3 {
			fmt.Fprintf(&b, "; %s: %s", r.Member, r.Outcome)
			if r.Err != nil {
				fmt.Fprintf(&b, ": %v", r.Err)
			}
		}
	}
	if failed > 3 {
		fmt.Fprintf(&b, "; and %d more", failed-3)
	}
	return fmt.Sprintf("tribes: send: %d of %d destinations failed%s", failed, len(e.Results), b.String())
}

// Unwrap returns the causes, so that errors.Is and errors.As find them.
func (e *SendError) Unwrap() []error {
	var errs []error
	for _, r := range e.Results {
		if r.Err != nil {
			errs = append(errs, r.Err)
		}
	}
	return errs
}

// Result returns the result at the destination with that key.
func (e *SendError) Result(k membership.Key) (Result, bool) {
	for _, r := range e.Results {
		if r.Member.Key() == k {
			return r, true
		}
	}
	return Result{}, false
}
