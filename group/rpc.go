package group

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/message"
)

// MaxRPCID is the length of the longest id of an RPC in bytes.
const MaxRPCID = 255

// RPC is a named remote call: members call it, and those that have a handler for it
// answer. On the wire it is Tribes' RpcChannel with the bytes of the name as its id,
// so Java nodes can be on either side. It is safe for concurrent use, and all methods
// may be called inside every callback; see Call for where that makes no sense.
type RPC struct {
	g      *Group
	id     string
	server atomic.Pointer[server]
	late   atomic.Pointer[func(from *Member, reply Body)]
}

// RPC returns the remote call of that id, the same one each time. The id has 1 to
// MaxRPCID bytes; in Java it is the rpcId of a RpcChannel.
func (g *Group) RPC(id string) (*RPC, error) {
	if id == "" || len(id) > MaxRPCID {
		return nil, fmt.Errorf("tribes: group: id of an RPC of %d bytes: want 1 to %d", len(id), MaxRPCID)
	}
	return g.calls.named(g, id), nil
}

// ID returns the id of the RPC.
func (r *RPC) ID() string { return r.id }

// Mode says which replies a call waits for. A positive number waits for so many.
type Mode int

// The modes of Tribes.
const (
	// AllReplies waits until each destination has replied or cannot do so any more.
	AllReplies Mode = 0
	// FirstReply waits for one reply, as Mode(1) does.
	FirstReply Mode = 1
	// MajorityReply waits for replies of more than half of the destinations. (Tribes
	// is content with half of them, and does not count those without a handler.)
	MajorityReply Mode = -1
	// NoReply waits until the request was sent, in the sense of its options.
	NoReply Mode = -2
)

// String returns the mode as Tribes names it, or the number.
func (m Mode) String() string {
	switch m {
	case AllReplies:
		return "all"
	case FirstReply:
		return "first"
	case MajorityReply:
		return "majority"
	case NoReply:
		return "none"
	}
	return fmt.Sprint(int(m))
}

// want is how many of n destinations must reply.
func (m Mode) want(n int) int {
	switch m {
	case AllReplies:
		return n
	case MajorityReply:
		return n/2 + 1
	case NoReply:
		return 0
	}
	return int(m)
}

// CallOption is a choice for one call.
type CallOption func(callOptions) callOptions

type callOptions struct {
	send  message.Options
	judge judge
}

// judge says what a reply, the one at place i of the answers, counts as: CallReplied,
// or another outcome, for which it may set Err.
type judge func(i int, a *Answer) CallOutcome

// RequestOptions sets the options that the request is sent with. The default is
// UseAck, so that a request on a connection that has just broken is sent again. The
// wait for the application of a Sync is left out, as in Tribes: the reply says more.
func RequestOptions(o Options) CallOption {
	return func(c callOptions) callOptions {
		c.send = o &^ (message.SyncAck | message.NumberedAcks | message.ByteMessage)
		return c
	}
}

// ReplyFilter makes only those replies count that take returns true for; the others
// get the outcome CallRejected. It is called on the goroutine of the caller, once for
// each reply, in the order in which they came, until the call has what it wants.
func ReplyFilter(take func(*Answer) bool) CallOption {
	return func(c callOptions) callOptions {
		c.judge = func(_ int, a *Answer) CallOutcome {
			if take(a) {
				return CallReplied
			}
			return CallRejected
		}
		return c
	}
}

// Call sends request to each of to and waits for the replies that mode asks for. It
// returns as soon as they are there, or as soon as they cannot come any more: with
// AllReplies each destination has an outcome then, with the other modes those that
// were not needed have CallNotAwaited.
//
// There is one Answer for each of to, in that order, also with an error. The error is
// a *CallError if fewer members replied than mode asks for; errors.Is finds in it what
// the single answers say. ErrNoMembers, ErrTooFewMembers, ErrTooManyCalls, ErrNotStarted
// and ErrClosed mean that nothing was sent, and there are no answers.
//
// A member that leaves or fails while the call waits for it gets its outcome at once.
// ctx bounds the whole call; without a deadline in it RPCConfig.Timeout does. A handler
// of ours is told how long that is. When the channel stops, calls that wait end with
// CallCanceled and ErrClosed.
//
// request is copied before Call returns. A call to the local member goes over the
// network like any other, as in Tribes. Where the outcome is not CallReplied the handler
// may have run all the same; that of a Java node may run twice if the connection to it
// breaks just then.
//
// A listener that calls the member whose message it processes waits in vain: the reply
// comes behind that message. Nor does a call inside a membership listener see members
// leave. Handlers may call whom they want.
func (r *RPC) Call(ctx context.Context, to []*Member, request []byte, mode Mode, options ...CallOption) ([]Answer, error) {
	return r.CallBody(ctx, to, Body{Bytes: request}, mode, options...)
}

// CallAll is Call to every member of the present view.
func (r *RPC) CallAll(ctx context.Context, request []byte, mode Mode, options ...CallOption) ([]Answer, error) {
	return r.Call(ctx, r.g.View().Members, request, mode, options...)
}

// CallBody is Call with a request of any kind, for Java programs that want a String
// or a byte[].
func (r *RPC) CallBody(ctx context.Context, to []*Member, request Body, mode Mode, options ...CallOption) ([]Answer, error) {
	o := callOptions{send: message.UseAck}
	for _, option := range options {
		o = option(o)
	}
	l := r.g.calls
	if err := l.callable(r.g, len(to), mode); err != nil {
		return nil, err
	}
	if _, bounded := ctx.Deadline(); !bounded && l.cfg.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, l.cfg.Timeout, ErrTimeout)
		defer cancel()
	}
	begin := l.watch.begin()
	answers, err := l.call(ctx, r, to, &request, mode, o)
	l.called(r, mode, answers, begin, err)
	return answers, err
}

// call makes one call.
func (l *rpc) call(ctx context.Context, r *RPC, to []*Member, request *Body, mode Mode, o callOptions) ([]Answer, error) {
	c, err := l.waiting.begin(to, mode, o.judge)
	if err != nil {
		return nil, err
	}
	over := false
	defer func() {
		if !over { // a filter has panicked
			c.finish(false, errPanicked)
		}
	}()
	m, err := l.requestMessage(ctx, c, r.id, request, o.send)
	if err == nil {
		err = l.send(ctx, c.to, m, c.receipt)
		m.Release()
	}
	if err != nil {
		c.receipt.SettleAll(c.to, message.NotSent, err)
	}
	timedOut, cause := c.wait(ctx, l.ended)
	want := c.want
	got, answers := c.finish(timedOut, cause)
	over = true
	if got < want || mode == NoReply && hasErrors(answers) {
		return answers, &CallError{RPC: r.id, Got: got, Want: want, Answers: answers}
	}
	return answers, nil
}

var errPanicked = errors.New("tribes: rpc: filter panicked")

func hasErrors(answers []Answer) bool {
	for i := range answers {
		if answers[i].Err != nil {
			return true
		}
	}
	return false
}

// requestMessage makes the message of a request.
func (l *rpc) requestMessage(ctx context.Context, c *call, service string, b *Body, o message.Options) (*message.Message, error) {
	t := ticket{id: c.id}
	if c.mode == NoReply {
		t.flags = noReplyWanted
	} else if until, ok := ctx.Deadline(); ok {
		t.left = max(time.Until(until), time.Millisecond)
	}
	m, err := rpcMessage(l.host, false, t.append(c.ticket[:0]), service, b)
	if err != nil {
		return nil, err
	}
	m.ID, m.Options = c.id, o|l.secure
	return m, nil
}
