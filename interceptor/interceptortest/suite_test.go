package interceptortest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// layer is an interceptor made of functions; without them it passes everything.
type layer struct {
	down func(h channel.Host, below channel.Down) channel.Down
	up   func(above channel.Up) channel.Up
}

func (l *layer) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	if l.down == nil {
		return below, nil
	}
	return l.down(h, below), nil
}

func (l *layer) BindUp(above channel.Up) channel.Up {
	if l.up == nil {
		return above
	}
	return l.up(above)
}

// sending is a layer that sends as f says.
func sending(f func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error) func() channel.Interceptor {
	return func() channel.Interceptor {
		return &layer{down: func(_ channel.Host, below channel.Down) channel.Down {
			next := below.Send
			below.Send = func(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
				return f(next, ctx, to, m, r)
			}
			return below
		}}
	}
}

// receiving is a layer that receives as f says.
func receiving(f func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error) func() channel.Interceptor {
	return func() channel.Interceptor {
		return &layer{up: func(above channel.Up) channel.Up {
			next := above.Receive
			above.Receive = func(ctx context.Context, m *message.Message) error { return f(next, ctx, m) }
			return above
		}}
	}
}

// watching is a layer that changes events as f says.
func watching(f func(next channel.EventFunc, ev membership.Event)) func() channel.Interceptor {
	return func() channel.Interceptor {
		return &layer{up: func(above channel.Up) channel.Up {
			next := above.Event
			above.Event = func(ev membership.Event) { f(next, ev) }
			return above
		}}
	}
}

func TestALayerThatDoesNothingPasses(t *testing.T) {
	Run(t, Suite{New: func() channel.Interceptor { return new(layer) }})
}

// trailer is a layer that changes every message: it sends one frame for each
// destination and adds a byte, as an ordering layer does.
func trailer() channel.Interceptor {
	l := sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		for i := range to {
			mine := m.Copy()
			mine.Extend(1)[0] = byte(i)
			err := next(ctx, to[i:i+1], mine, r)
			mine.Release()
			if err != nil {
				r.SettleAll(to[i:], message.NotSent, err)
				return nil
			}
		}
		return nil
	})().(*layer)
	l.up = receiving(func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error {
		if m.Trim(1) == nil {
			return errors.New("no trailer")
		}
		return next(ctx, m)
	})().(*layer).up
	return l
}

func TestALayerThatChangesEverythingPasses(t *testing.T) {
	Run(t, Suite{New: trailer, ActsOnAll: true})
}

// silentTB takes the failures of a check, so that a test can want them.
type silentTB struct {
	testing.TB
	failed  bool
	cleanup []func()
}

func (s *silentTB) Helper()               {}
func (s *silentTB) Cleanup(f func())      { s.cleanup = append(s.cleanup, f) }
func (s *silentTB) Errorf(string, ...any) { s.failed = true }
func (s *silentTB) Error(...any)          { s.failed = true }
func (s *silentTB) Fatal(...any)          { s.fatal() }
func (s *silentTB) Fatalf(string, ...any) { s.fatal() }
func (s *silentTB) fatal()                { s.failed = true; panic(stopped{}) }

type stopped struct{}

// run returns what is wrong with the layer according to a check.
func (s *silentTB) run(check func(testing.TB, Suite), suite Suite) (wrong string) {
	defer func() {
		for _, f := range s.cleanup {
			f()
		}
	}()
	defer func() {
		switch p := recover().(type) {
		case nil, stopped:
		default:
			wrong = fmt.Sprint(p) // a receipt that was settled twice, say
		}
		if s.failed {
			wrong = "failed"
		}
	}()
	check(s, suite)
	return ""
}

// broken are layers that break a rule, with the check that must find them.
var broken = []struct {
	name  string
	check func(testing.TB, Suite)
	new   func() channel.Interceptor
	own   message.Options
}{
	{"ChangesOptions", checkPassesDown, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Options |= message.Secure
		return next(ctx, to, m, r)
	}), 0},
	{"ChangesPayload", checkPassesDown, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Extend(1)
		return next(ctx, to, m, r)
	}), 0},
	{"ForgetsTheMessage", checkPassesDown, sending(func(_ channel.SendFunc, _ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
		r.SettleAll(to, message.Written, nil)
		return nil
	}), 0},
	{"LeavesOutADestination", checkPassesDown, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		r.Settle(to[0], message.Written, nil)
		return next(ctx, to[1:], m, r)
	}), 0},
	{"DeliversTwice", checkPassesUp, receiving(func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error {
		return errors.Join(next(ctx, m), next(ctx, m))
	}), 0},
	{"ChangesOnTheWayUp", checkPassesUp, receiving(func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error {
		m.Trim(1)
		return next(ctx, m)
	}), 0},
	{"SaysAllIsWell", checkSettlesOnce, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		own := message.NewReceipt(len(to), func(*message.Receipt) { r.SettleAll(to, message.Written, nil) })
		return next(ctx, to, m, own)
	}), 0},
	{"NeverSettles", checkSettlesOnce, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, _ *message.Receipt) error {
		return next(ctx, to, m, message.NewReceipt(len(to), nil))
	}), 0},
	{"SettlesAndRefuses", checkRefusal, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		err := next(ctx, to, m, r)
		if err != nil {
			r.SettleAll(to, message.NotSent, err)
		}
		return err
	}), 0},
	{"SwallowsTheRefusal", checkRefusal, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if err := next(ctx, to, m, r); err != nil {
			r.SettleAll(to, message.Written, nil)
		}
		return nil
	}), 0},
	{"UsesTheMessageAgain", checkRoundTrip, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		r.Add(len(to))
		if err := next(ctx, to, m, r); err != nil {
			r.SettleAll(to, message.NotSent, err)
		}
		return next(ctx, to, m, r)
	}), 0},
	{"CutsLongMessages", checkRoundTrip, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Trim(max(m.Len()-1<<16, 0))
		return next(ctx, to, m, r)
	}), 0},
	{"LeavesABitSet", checkRoundTripUnhandled, sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		m.Options |= message.Gzip
		return next(ctx, to, m, r)
	}), message.Secure},
	{"Reorders", checkKeepsOrder, reorderer, 0},
	{"SwallowsErrors", checkErrorsPassUp, receiving(func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error {
		_ = next(ctx, m) // which is what is wrong with it
		return nil
	}), 0},
	{"LosesTheQueueAtTheStop", checkStopCuts, forgetful, 0},
	{"AnnouncesTwice", checkEvents, watching(func(next channel.EventFunc, ev membership.Event) { next(ev); next(ev) }), 0},
	{"SwallowsEvents", checkEvents, watching(func(channel.EventFunc, membership.Event) {}), 0},
	{"SwallowsFaults", checkFaults, func() channel.Interceptor {
		return &layer{up: func(above channel.Up) channel.Up {
			above.Fault = func(*membership.Member, message.ID, error) {}
			return above
		}}
	}, 0},
	{"SwallowsViews", checkViews, func() channel.Interceptor {
		return &layer{up: func(above channel.Up) channel.Up {
			above.View = func(*membership.Agreed) {}
			return above
		}}
	}, 0},
	{"LosesSomeWhenBusy", checkConcurrent, every(7), 0},
	{"SendsNothingAtTheStop", checkStopDrains, forgetful, 0},
	{"AcceptsAfterTheStop", checkSendAfterStop, sending(func(_ channel.SendFunc, _ context.Context, to []*membership.Member, _ *message.Message, r *message.Receipt) error {
		r.SettleAll(to, message.Written, nil)
		return nil
	}), 0},
}

func TestChecksFindBrokenLayers(t *testing.T) {
	for _, tt := range broken {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				good := Suite{New: func() channel.Interceptor { return new(layer) }, OwnBits: tt.own}
				if wrong := new(silentTB).run(tt.check, good); wrong != "" {
					t.Errorf("a good layer: %s", wrong)
				}
				bad := good
				bad.New = tt.new
				if wrong := new(silentTB).run(tt.check, bad); wrong == "" {
					t.Error("a broken layer passed")
				}
			})
		})
	}
}

// reorderer keeps each second message until the next one was sent.
func reorderer() channel.Interceptor {
	var kept func()
	return sending(func(next channel.SendFunc, ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
		if kept == nil {
			m.Retain()
			kept = func() {
				if err := next(ctx, to, m, r); err != nil {
					r.SettleAll(to, message.NotSent, err)
				}
				m.Release()
			}
			return nil
		}
		err := next(ctx, to, m, r)
		kept()
		kept = nil
		return err
	})()
}

// forgetful queues messages and has lost them when the channel stops.
func forgetful() channel.Interceptor {
	return &layer{down: func(h channel.Host, below channel.Down) channel.Down {
		below.Send = func(_ context.Context, _ []*membership.Member, m *message.Message, _ *message.Receipt) error {
			m.Retain()
			h.Go("queue", func(ctx context.Context) {
				<-ctx.Done()
				m.Release()
			})
			return nil
		}
		return below
	}}
}

// every is a layer that loses each n-th message on its way up.
func every(n int) func() channel.Interceptor {
	return func() channel.Interceptor {
		count := 0
		return receiving(func(next channel.ReceiveFunc, ctx context.Context, m *message.Message) error {
			if count++; count%n == 0 {
				return nil
			}
			return next(ctx, m)
		})()
	}
}
