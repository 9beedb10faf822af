package interceptortest

import (
	"context"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

// Suite describes a layer to [Run].
type Suite struct {
	// New returns a layer ready to be bound. Its settings must let a message that
	// comes alone and in order pass up at once.
	New func() channel.Interceptor
	// Options make the layer act on a message: its own option flag. ByteMessage
	// is added.
	Options message.Options
	// ActsOnAll says that there are no messages which the layer leaves as they
	// are. Else those without Options must pass unchanged.
	ActsOnAll bool
	// OwnBits are options that the layer may set or clear.
	OwnBits message.Options
	// HoldsErrors says that the error of an application that failed on a message
	// need not come out of Up.Receive, because the layer may deliver later.
	HoldsErrors bool
	// AllOrNothing says that a message which did not succeed at one of its
	// destinations succeeds at none: what was a success below is NotSent.
	AllOrNothing bool
	// Config is for the harnesses of the suite; Local is set by the suite.
	Config Config
}

// Run tests a layer. It checks that
//
//   - what the layer does not handle passes unchanged, in both directions;
//   - each destination of an accepted send is settled exactly once with the
//     outcome from below, and none of a refused one;
//   - payloads from nothing to 1 MiB arrive as they were sent, with id, source,
//     time stamp and options, through a second instance of the layer;
//   - a layer never uses a message again that it has handed down;
//   - errors from below and from the application pass;
//   - a send ends when its context does;
//   - events pass in order and agree with the view, faults and agreed views pass;
//   - all flows may be used at the same time (run it with -race);
//   - a stop in time sends what was accepted, one out of time settles it;
//   - nothing is left: no goroutine, and in builds with the race detector no
//     buffer and no message.
//
// Everything runs in virtual time.
func Run(t *testing.T, s Suite) {
	checks := []struct {
		name string
		f    func(tb testing.TB, s Suite)
	}{
		{"PassesUnhandledDown", checkPassesDown},
		{"PassesUnhandledUp", checkPassesUp},
		{"SettlesOnce", checkSettlesOnce},
		{"RefusalSettlesNothing", checkRefusal},
		{"RoundTrip", checkRoundTrip},
		{"RoundTripUnhandled", checkRoundTripUnhandled},
		{"KeepsOrder", checkKeepsOrder},
		{"ErrorsPassUp", checkErrorsPassUp},
		{"ContextEndsSend", checkContext},
		{"EventsAgreeWithView", checkEvents},
		{"FaultsPass", checkFaults},
		{"AgreedViewsPass", checkViews},
		{"ConcurrentUse", checkConcurrent},
		{"StopDrains", checkStopDrains},
		{"StopOutOfTimeSettles", checkStopCuts},
		{"SendAfterStop", checkSendAfterStop},
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			before := message.CheckLive()
			bubble.Test(t, func(t *testing.T) { c.f(t, s) })
			if err := message.CheckLive(); before == nil && err != nil {
				t.Errorf("after the stop: %v", err)
			}
		})
	}
}

// patience is how long, in virtual time, a check waits for what must happen.
const patience = time.Minute

func (s Suite) harness(tb testing.TB) *Harness {
	tb.Helper()
	cfg := s.Config
	cfg.Local = Member(1)
	h := New(tb, cfg, s.New())
	h.Start()
	return h
}

func (s Suite) pair(tb testing.TB) *Pair {
	tb.Helper()
	return NewPair(tb, s.Config, func() []channel.Interceptor { return []channel.Interceptor{s.New()} })
}

// options are those of a message that the layer acts on.
func (s Suite) options(more message.Options) message.Options {
	return s.Options | message.ByteMessage | more
}

func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), patience)
}
