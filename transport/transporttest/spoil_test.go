package transporttest

import (
	"context"
	"errors"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
	"github.com/gotribes/tribes/transport/mem"
)

// spoiler is a fault of a transport: it changes what a good one does.
type spoiler struct {
	name     string
	caught   []string // by these checks
	link     mem.Link
	settings func(s *Settings)
	deliver  func(next channel.ReceiveFunc) channel.ReceiveFunc
	fault    func(next channel.FaultFunc) channel.FaultFunc
	send     func(next channel.SendFunc) channel.SendFunc
	probe    func(next probeFunc) probeFunc
	forget   func(next func(*membership.Member)) func(*membership.Member)
	stop     func(next stopFunc) stopFunc // of the sender
	end      func(next stopFunc) stopFunc // of the receiver
}

type (
	probeFunc = func(ctx context.Context, m *membership.Member, p channel.Probe) error
	stopFunc  = func(ctx context.Context) error
)

func (sp *spoiler) change(s Settings) Settings {
	if sp.settings != nil {
		sp.settings(&s)
	}
	return s
}

func (sp *spoiler) spoil(n Node) Node {
	return Node{Sender: &spoiledSender{n.Sender, sp}, Receiver: &spoiledReceiver{n.Receiver, sp}}
}

type spoiledSender struct {
	channel.Sender
	sp *spoiler
}

func (s *spoiledSender) Start(ctx context.Context, env channel.Env) error {
	if s.sp.fault != nil {
		env.Fault = s.sp.fault(env.Fault)
	}
	return s.Sender.Start(ctx, env)
}

func (s *spoiledSender) Send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	send := channel.SendFunc(s.Sender.Send)
	if s.sp.send != nil {
		send = s.sp.send(send)
	}
	return send(ctx, to, m, r)
}

func (s *spoiledSender) Probe(ctx context.Context, m *membership.Member, p channel.Probe) error {
	if s.sp.probe != nil {
		return s.sp.probe(s.Sender.Probe)(ctx, m, p)
	}
	return s.Sender.Probe(ctx, m, p)
}

func (s *spoiledSender) Forget(m *membership.Member) {
	if s.sp.forget != nil {
		s.sp.forget(s.Sender.Forget)(m)
		return
	}
	s.Sender.Forget(m)
}

func (s *spoiledSender) Stop(ctx context.Context) error {
	if s.sp.stop != nil {
		return s.sp.stop(s.Sender.Stop)(ctx)
	}
	return s.Sender.Stop(ctx)
}

type spoiledReceiver struct {
	channel.Receiver
	sp *spoiler
}

func (r *spoiledReceiver) Start(ctx context.Context, env channel.Env) (channel.Bound, error) {
	if r.sp.deliver != nil {
		env.Deliver = r.sp.deliver(env.Deliver)
	}
	return r.Receiver.Start(ctx, env)
}

func (r *spoiledReceiver) Stop(ctx context.Context) error {
	if r.sp.end != nil {
		return r.sp.end(r.Receiver.Stop)(ctx)
	}
	return r.Receiver.Stop(ctx)
}

// options makes a sender that sends with other options than it was asked for.
func options(change func(o message.Options) message.Options) func(next channel.SendFunc) channel.SendFunc {
	return func(next channel.SendFunc) channel.SendFunc {
		return func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			m.Options = change(m.Options)
			return next(ctx, to, m, r)
		}
	}
}

// payload makes a receiver that changes the bytes of messages.
func payload(change func(b []byte)) func(next channel.ReceiveFunc) channel.ReceiveFunc {
	return func(next channel.ReceiveFunc) channel.ReceiveFunc {
		return func(ctx context.Context, m *message.Message) error {
			change(m.Payload())
			return next(ctx, m)
		}
	}
}

// outcome makes a sender that tells other outcomes than it has.
func outcome(change func(r *message.Result)) func(next channel.SendFunc) channel.SendFunc {
	return func(next channel.SendFunc) channel.SendFunc {
		return func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
			inner := message.NewReceipt(len(to), func(inner *message.Receipt) {
				for _, res := range inner.Results(to, nil) {
					change(&res)
					r.SettleResult(res)
				}
			})
			if err := next(ctx, to, m, inner); err != nil {
				for _, dst := range to {
					res := message.Result{Member: dst, Outcome: message.NotSent, Err: err}
					change(&res)
					r.SettleResult(res)
				}
			}
			return nil
		}
	}
}

var errSpoiled = errors.New("spoiled")

func waitForListener(o message.Options) message.Options {
	if o.Acked() {
		o |= message.SyncAck
	}
	return o
}

func doNotWait(o message.Options) message.Options { return o &^ message.SyncAck }

// oneAtATime lets one message at a time in, whoever sent it.
func oneAtATime(next channel.ReceiveFunc) channel.ReceiveFunc {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context, m *message.Message) error {
		turn <- struct{}{}
		defer func() { <-turn }()
		return next(ctx, m)
	}
}

// later lets d pass before the call.
func later(d time.Duration) func(next stopFunc) stopFunc {
	return func(next stopFunc) stopFunc {
		return func(ctx context.Context) error {
			time.Sleep(d)
			return next(context.WithoutCancel(ctx))
		}
	}
}

// withoutTime stops without waiting for anything.
func withoutTime(next stopFunc) stopFunc {
	return func(context.Context) error {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		next(ctx)
		return nil
	}
}
