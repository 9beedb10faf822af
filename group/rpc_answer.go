package group

import (
	"errors"
	"fmt"
	"strings"
)

// CallOutcome says what became of a call at one member.
type CallOutcome uint8

// The outcomes of a call. Only CallReplied counts for the mode of the call.
const (
	CallReplied      CallOutcome = iota + 1 // the member's handler has answered
	CallRejected                            // it has answered, and the filter did not take the answer
	CallNotAwaited                          // the call had ended before the member answered, or wanted no answer
	CallHandlerError                        // its handler has failed: the error is a *HandlerError
	CallNoHandler                           // nobody serves this there: ErrNoHandler
	CallBusy                                // it has no room for the request: ErrBusy
	CallBadRequest                          // its handler cannot read the request: ErrBadRequest
	CallLeft                                // it has said goodbye: ErrMemberLeft
	CallFailed                              // it has vanished: ErrMemberFailed
	CallSendFailed                          // the request was not sent, or may not have arrived; the error is that of the send
	CallTimedOut                            // the time was over: ErrTimeout
	CallCanceled                            // the context has ended for another reason, or the channel has stopped
	CallBadReply                            // its answer is larger than RPCConfig.MaxReply: ErrTooLarge
)

var callOutcomeText = [...]string{
	CallReplied:      "replied",
	CallRejected:     "reply not taken",
	CallNotAwaited:   "not awaited",
	CallHandlerError: "handler failed",
	CallNoHandler:    "no handler",
	CallBusy:         "busy",
	CallBadRequest:   "bad request",
	CallLeft:         "left",
	CallFailed:       "failed",
	CallSendFailed:   "send failed",
	CallTimedOut:     "timed out",
	CallCanceled:     "canceled",
	CallBadReply:     "bad reply",
}

// String returns the outcome in lower case.
func (o CallOutcome) String() string {
	if o >= CallReplied && o <= CallBadReply {
		return callOutcomeText[o]
	}
	return fmt.Sprintf("outcome %d", uint8(o))
}

// Errors of remote calls. They are found in a *CallError, and in the Err of an
// Answer, with errors.Is. A handler that returns ErrBusy or ErrBadRequest, also
// wrapped, makes its caller see that.
var (
	// ErrNoHandler: the member does not serve the call. A Java node says so too.
	ErrNoHandler = errors.New("tribes: rpc: no handler")
	// ErrBusy: a queue of the member is full. The request was not processed.
	ErrBusy = errors.New("tribes: rpc: no room for the request")
	// ErrBadRequest: the handler cannot read the request.
	ErrBadRequest = errors.New("tribes: rpc: bad request")
	// ErrMemberLeft: the member has said goodbye.
	ErrMemberLeft = errors.New("tribes: rpc: member left")
	// ErrMemberFailed: the member has vanished.
	ErrMemberFailed = errors.New("tribes: rpc: member failed")
	// ErrTooManyCalls: RPCConfig.MaxCalls calls wait already. Nothing was sent.
	ErrTooManyCalls = errors.New("tribes: rpc: too many calls wait")
	// ErrTooFewMembers: more replies are wanted than there are destinations.
	ErrTooFewMembers = errors.New("tribes: rpc: more replies wanted than destinations")
	// ErrHandled: the RPC has a handler already.
	ErrHandled = errors.New("tribes: rpc: there is a handler already")
)

// HandlerError is the error that a handler has returned, as its caller sees it.
type HandlerError struct {
	// Reason is the text of the error, cut at 1 KiB.
	Reason string
}

// Error implements error.
func (e *HandlerError) Error() string {
	return fmt.Sprintf("tribes: rpc: the handler failed: %q", e.Reason)
}

// Answer is what became of a call at one member.
type Answer struct {
	// Member is the destination.
	Member *Member
	// Outcome says what became of the call there.
	Outcome CallOutcome
	// Body is the reply, with CallReplied and CallRejected. The receiver owns it.
	Body
	// Err says why there is no reply; nil with CallReplied, CallRejected and
	// CallNotAwaited.
	Err error
}

// CallError means that a call did not get the replies that it wanted. It lists what
// became of it at each destination, replies too.
type CallError struct {
	// RPC is the id of the RPC.
	RPC string
	// Got is the number of replies that count, Want how many were wanted.
	Got, Want int
	// Answers has one entry for each destination, in their order.
	Answers []Answer
}

// Error names the destinations that did not reply.
func (e *CallError) Error() string {
	const most = 3
	var b strings.Builder
	missing := 0
	for i := range e.Answers {
		a := &e.Answers[i]
		if a.Outcome == CallReplied || a.Outcome == CallNotAwaited {
			continue
		}
		if missing++; missing <= most {
			fmt.Fprintf(&b, "; %s: %s", a.Member, a.Outcome)
			if a.Err != nil {
				fmt.Fprintf(&b, ": %v", a.Err)
			}
		}
	}
	if missing > most {
		fmt.Fprintf(&b, "; and %d more", missing-most)
	}
	return fmt.Sprintf("tribes: rpc %q: %d of %d replies%s", e.RPC, e.Got, e.Want, b.String())
}

// Unwrap returns the causes, so that errors.Is and errors.As find them.
func (e *CallError) Unwrap() []error {
	var errs []error
	for i := range e.Answers {
		if err := e.Answers[i].Err; err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// remoteError is what a reply of one of ours with that status means.
func remoteError(status byte, text string) (CallOutcome, error) {
	switch status {
	case statusBusy:
		return CallBusy, withText(ErrBusy, text)
	case statusBadRequest:
		return CallBadRequest, withText(ErrBadRequest, text)
	}
	return CallHandlerError, &HandlerError{Reason: text}
}

func withText(err error, text string) error {
	if text == "" {
		return err
	}
	return fmt.Errorf("%w: %q", err, text)
}

// statusOf is how a caller of ours is told of the error of a handler.
func statusOf(err error) (status byte, text string) {
	text = err.Error()
	switch {
	case errors.Is(err, ErrBusy):
		status, text = statusBusy, strings.TrimPrefix(text, ErrBusy.Error()+": ")
	case errors.Is(err, ErrBadRequest):
		status, text = statusBadRequest, strings.TrimPrefix(text, ErrBadRequest.Error()+": ")
	default:
		status = statusError
	}
	if text == ErrBusy.Error() || text == ErrBadRequest.Error() {
		text = ""
	}
	return status, strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
}

// maxErrorText is how much of an error's text travels, in bytes.
const maxErrorText = 1 << 10

// departed is why nothing can be expected of a member any more.
func departed(kind CallOutcome) error {
	if kind == CallLeft {
		return ErrMemberLeft
	}
	return ErrMemberFailed
}

// unanswered is the outcome where there was none when the call ended: because it was
// complete, because the time was over, or for another cause.
func unanswered(timedOut bool, cause error) (CallOutcome, error) {
	switch {
	case cause == nil:
		return CallNotAwaited, nil
	case !timedOut:
		return CallCanceled, cause
	case errors.Is(cause, ErrTimeout):
		return CallTimedOut, cause
	}
	return CallTimedOut, fmt.Errorf("%w: %w", ErrTimeout, cause)
}
