package group

import (
	"context"
	"encoding/json"
	"fmt"
)

// Codec turns values into bytes and back. It is safe for concurrent use.
type Codec interface {
	// Marshal returns the bytes of v.
	Marshal(v any) ([]byte, error)
	// Unmarshal sets what v points to. It may keep data.
	Unmarshal(data []byte, v any) error
}

// JSON is the Codec of package encoding/json.
var JSON Codec = jsonCodec{}

type jsonCodec struct{}

func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

// TypedRPC is an RPC whose requests are values of type Q and whose replies are values
// of type A. It is safe for concurrent use.
type TypedRPC[Q, A any] struct {
	// RPC is what the bytes go through.
	RPC   *RPC
	codec Codec
}

// TypedAnswer is an [Answer] with its reply as a value.
type TypedAnswer[A any] struct {
	Answer
	// Value is the reply, with CallReplied.
	Value A
}

// NewTypedRPC returns r with types. All members, and Java nodes, must know the codec.
func NewTypedRPC[Q, A any](r *RPC, c Codec) *TypedRPC[Q, A] {
	return &TypedRPC[Q, A]{RPC: r, codec: c}
}

// Call is RPC.Call with values. A reply that the codec cannot read has the outcome
// CallBadReply, and does not count; a filter is not asked about it. An error of the codec for q means that nothing was sent.
func (t *TypedRPC[Q, A]) Call(ctx context.Context, to []*Member, q Q, mode Mode, options ...CallOption) ([]TypedAnswer[A], error) {
	request, err := t.codec.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("tribes: rpc %q: request: %w", t.RPC.id, err)
	}
	return t.call(ctx, to, request, mode, options)
}

// CallAll is Call to every member of the present view.
func (t *TypedRPC[Q, A]) CallAll(ctx context.Context, q Q, mode Mode, options ...CallOption) ([]TypedAnswer[A], error) {
	return t.Call(ctx, t.RPC.g.View().Members, q, mode, options...)
}

func (t *TypedRPC[Q, A]) call(ctx context.Context, to []*Member, request []byte, mode Mode, options []CallOption) ([]TypedAnswer[A], error) {
	all := make([]TypedAnswer[A], len(to))
	read := func(c callOptions) callOptions { // behind the caller's options
		filter := c.judge
		c.judge = func(i int, a *Answer) CallOutcome {
			if err := t.codec.Unmarshal(a.Bytes, &all[i].Value); err != nil {
				a.Err = fmt.Errorf("tribes: rpc %q: reply: %w", t.RPC.id, err)
				return CallBadReply
			}
			if filter != nil {
				return filter(i, a)
			}
			return CallReplied
		}
		return c
	}
	answers, err := t.RPC.Call(ctx, to, request, mode, append(options[:len(options):len(options)], read)...)
	for i := range answers {
		if all[i].Answer = answers[i]; answers[i].Outcome != CallReplied {
			all[i].Value = *new(A)
		}
	}
	return all[:len(answers)], err
}

// Handle is RPC.Handle with values. A request that the codec cannot read is not given
// to h; its caller sees ErrBadRequest.
func (t *TypedRPC[Q, A]) Handle(h func(ctx context.Context, from *Member, q Q) (A, error), cfg HandlerConfig) (remove func(), err error) {
	return t.RPC.Handle(func(ctx context.Context, req *Request) ([]byte, error) {
		var q Q
		if err := t.codec.Unmarshal(req.Bytes, &q); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadRequest, err)
		}
		a, err := h(ctx, req.From, q)
		if err != nil {
			return nil, err
		}
		return t.codec.Marshal(a)
	}, cfg)
}
