package transporttest

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// spoilers are the faults that the suite must find.
var spoilers = []*spoiler{
	{name: "a byte is changed", deliver: payload(func(b []byte) {
		if len(b) > 0 {
			b[len(b)-1]++
		}
	}), caught: []string{"payload sizes", "largest frame", "probe of a live member", "datagrams"}},
	{name: "payloads are cleared behind the listener", deliver: func(next channel.ReceiveFunc) channel.ReceiveFunc {
		return func(ctx context.Context, m *message.Message) error {
			defer clear(m.Payload())
			return next(ctx, m)
		}
	}, caught: []string{"payload may be retained"}},
	{name: "receivers share memory", send: func(next channel.SendFunc) channel.SendFunc {
		return func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			if len(to) > 1 {
				defer clear(m.Payload())
				for _, dst := range to {
					if err := next(ctx, []*membership.Member{dst}, m, r); err != nil {
						return err
					}
					clear(m.Payload())
				}
				return nil
			}
			return next(ctx, to, m, r)
		}
	}, caught: []string{"payload is the receiver's own"}},
	{name: "limits are halved", settings: func(s *Settings) { s.MaxFrame /= 2 }, caught: []string{"largest frame"}},
	{name: "there is no limit", settings: func(s *Settings) { s.MaxFrame *= 2 }, caught: []string{"beyond the largest frame"}},
	{name: "options are lost", send: options(func(o message.Options) message.Options { return o & message.Sync }),
		caught: []string{"fields arrive"}},
	{name: "the private bit is delivered", deliver: func(next channel.ReceiveFunc) channel.ReceiveFunc {
		return func(ctx context.Context, m *message.Message) error {
			m.Options |= message.NumberedAcks
			return next(ctx, m)
		}
	}, caught: []string{"private option is hidden"}},
	{name: "all wait for the listener", send: options(waitForListener),
		caught: []string{"ack does not wait for the listener", "listener error of a message that asked for less"}},
	{name: "nobody waits for the listener", send: options(doNotWait), caught: []string{"sync ack waits for the listener", "listener error", "stuck listener, sync ack"}},
	{name: "written is told as acknowledged", send: outcome(func(r *message.Result) {
		if r.Outcome == message.Written {
			r.Outcome = message.Acknowledged
		}
	}), caught: []string{"no ack is written", "several destinations"}},
	{name: "failures are told as success", send: outcome(func(r *message.Result) { r.Outcome, r.Err = message.Acknowledged, nil }),
		caught: []string{"nobody there", "somebody there again", "send after stop", "stuck listener, full buffers", "datagram to a member without a port", "told of members early"}},
	{name: "success is told as a failure", send: outcome(func(r *message.Result) { r.Outcome, r.Err = message.Unknown, message.ErrTimeout }),
		caught: []string{"order under concurrency", "many callers", "both ways"}},
	{name: "errors have no type", send: outcome(func(r *message.Result) {
		if r.Err != nil {
			r.Err = errSpoiled
		}
	}), caught: []string{"context ends while there is no room", "listener error", "stuck listener, sync ack"}},
	{name: "one bad destination spoils all", send: func(next channel.SendFunc) channel.SendFunc {
		return func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			inner := message.NewReceipt(len(to), func(inner *message.Receipt) {
				if inner.OK() {
					r.SettleAll(to, inner.Results(to, nil)[0].Outcome, nil)
				} else {
					r.SettleAll(to, message.NotSent, errSpoiled)
				}
			})
			return next(ctx, to, m, inner)
		}
	}, caught: []string{"one bad destination"}},
	{name: "messages come twice", deliver: func(next channel.ReceiveFunc) channel.ReceiveFunc {
		return func(ctx context.Context, m *message.Message) error {
			next(ctx, m)
			return next(ctx, m)
		}
	}, caught: []string{"no duplicates"}},
	{name: "messages overtake each other", link: mem.Link{Reorder: 0.3}, caught: []string{"order of one sender", "order under concurrency", "stop drains"}},
	{name: "one message at a time", deliver: oneAtATime, caught: []string{"two senders at a time"}},
	{name: "a message is lost", deliver: func(next channel.ReceiveFunc) channel.ReceiveFunc {
		var n atomic.Int32
		return func(ctx context.Context, m *message.Message) error {
			if n.Add(1)%20 == 0 {
				return nil
			}
			return next(ctx, m)
		}
	}, caught: []string{"no duplicates", "stop under load"}},
	{name: "faults are not told", fault: func(channel.FaultFunc) channel.FaultFunc {
		return func(*membership.Member, message.ID, error) {}
	}, caught: []string{"nobody there", "stuck listener, full buffers"}},
	{name: "timeouts are longer", settings: func(s *Settings) { s.Timeout *= 100 }, caught: []string{"stuck listener, sync ack"}},
	{name: "members are not forgotten", forget: func(func(*membership.Member)) func(*membership.Member) {
		return func(*membership.Member) {}
	}, caught: []string{"forget"}},
	{name: "parts complain when stopped", stop: func(next stopFunc) stopFunc {
		return func(ctx context.Context) error {
			next(ctx)
			return errSpoiled
		}
	}, caught: []string{"stop before start", "stop twice"}},
	{name: "senders stop without draining", stop: withoutTime, caught: []string{"stop drains"}},
	{name: "senders stop late", stop: later(time.Minute), caught: []string{"stop without time"}},
	{name: "receivers stop without draining", end: withoutTime, caught: []string{"receiver stops"}},
	{name: "receivers do not stop", end: func(next stopFunc) stopFunc {
		return func(ctx context.Context) error {
			time.AfterFunc(time.Minute, func() { next(context.WithoutCancel(ctx)) })
			return nil
		}
	}, caught: []string{"receiver stops under load"}},
	{name: "a cut-off message is refused", send: outcome(func(r *message.Result) {
		if r.Outcome == message.Unknown {
			r.Outcome, r.Err = message.Refused, &message.RemoteError{}
		}
	}), caught: []string{"receiver stops without time", "forget", "stop without time"}},
	{name: "probes always succeed", probe: func(probeFunc) probeFunc {
		return func(context.Context, *membership.Member, channel.Probe) error { return nil }
	}, caught: []string{"probe of a member that is gone", "probe of a live member", "probe that is not answered in time", "probe whose context ends"}},
	{name: "probes wait for the listener", probe: func(next probeFunc) probeFunc {
		return func(ctx context.Context, m *membership.Member, p channel.Probe) error {
			if p.Message != nil {
				p.Message.Options = waitForListener(p.Message.Options)
			}
			return next(ctx, m, p)
		}
	}, caught: []string{"probe beside a stuck listener"}},
	{name: "probes hide the cause", probe: func(next probeFunc) probeFunc {
		return func(ctx context.Context, m *membership.Member, p channel.Probe) error {
			if err := next(ctx, m, p); err != nil {
				return fmt.Errorf("probe: %v", err)
			}
			return nil
		}
	}, caught: []string{"probe that is not answered in time", "probe whose context ends"}},
}
