package channel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

// Layers that say something of themselves. Their names are in the problems.
type (
	declared struct {
		plain
		traits channel.Traits
	}
	sealing   struct{ declared }
	splitting struct{ declared }
	probing   struct{ declared }
	marking   struct{ declared }
	asking    struct{ declared }
)

func (d *declared) Traits() channel.Traits { return d.traits }

// limitedSender is a sender that tells its limits.
type limitedSender struct {
	channel.Sender
	limits channel.Limits
}

func (s limitedSender) Limits() channel.Limits { return s.limits }

// limitedReceiver is a receiver that tells its limits.
type limitedReceiver struct {
	channel.Receiver
	limits channel.Limits
}

func (r limitedReceiver) Limits() channel.Limits { return r.limits }

func layer(t channel.Traits) *declared { return &declared{traits: t} }

func seal() channel.Interceptor {
	return &sealing{declared{traits: channel.Traits{Transforms: true, Encrypts: true, Adds: 36}}}
}

func split(size int) channel.Interceptor {
	return &splitting{declared{traits: channel.Traits{Transforms: true, Splits: true, NeedsUniqueIDs: true, MaxPayload: size}}}
}

func probe() channel.Interceptor {
	return &probing{declared{traits: channel.Traits{Probes: true, Detects: true}}}
}

func mark(o message.Options) channel.Interceptor {
	return &marking{declared{traits: channel.Traits{Transforms: true, Marks: o}}}
}

func ask(c channel.Traits) channel.Interceptor { return &asking{declared{traits: c}} }

var (
	unique = channel.Traits{NeedsUniqueIDs: true}
	needed = layer(channel.Traits{})
	needs  = channel.Traits{Above: []channel.Interceptor{needed}}
)

var stackTests = []struct {
	name   string
	limits channel.Limits
	layers []channel.Interceptor
	want   []string // one for each problem
}{
	{"bare", channel.Limits{MaxFrame: 1000}, nil, nil},
	{"says nothing", channel.Limits{}, []channel.Interceptor{new(plain), new(plain)}, nil},
	{"all together", channel.Limits{MaxFrame: 64 << 20, AckTimeout: 5 * time.Second},
		[]channel.Interceptor{ask(unique), mark(0x100), split(1000), seal(), probe(), new(plain)}, nil},
	{"change below probe", channel.Limits{}, []channel.Interceptor{probe(), mark(0x100)},
		[]string{"marking stands below probing, whose probes it would change on one side only: put probing below it"}},
	{"encryption below probe", channel.Limits{}, []channel.Interceptor{probe(), seal()},
		[]string{"sealing stands below probing"}},
	{"change below what is prompt", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Prompt: true}), mark(0x100)},
		[]string{"marking stands below asking, whose own messages it would change or keep: put asking below it"}},
	{"encryption below what is prompt", channel.Limits{}, []channel.Interceptor{mark(0x100), ask(channel.Traits{Prompt: true}), seal()}, nil},
	{"two that detect", channel.Limits{}, []channel.Interceptor{probe(), probe()},
		[]string{"probing stands above another probing: leave one of them out"}},
	{"two that probe", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Probes: true}), probe()}, nil},
	{"unique ids below split", channel.Limits{}, []channel.Interceptor{split(1000), ask(unique)},
		[]string{"asking stands below splitting, which sends the parts of a message with one id: put asking above it"}},
	{"split twice", channel.Limits{}, []channel.Interceptor{split(1000), split(100)},
		[]string{"splitting stands below splitting, which sends"}},
	{"confidential below encryption", channel.Limits{}, []channel.Interceptor{seal(), ask(channel.Traits{Confidential: true})},
		[]string{"asking stands below sealing, so what it sends by itself would go in the clear: put it above"}},
	{"confidential above encryption", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Confidential: true}), seal()}, nil},
	{"confidential without encryption", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Confidential: true})}, nil},
	{"encrypted twice", channel.Limits{}, []channel.Interceptor{seal(), seal()},
		[]string{"sealing stands above another sealing: leave one of them out"}},
	{"two marks", channel.Limits{}, []channel.Interceptor{mark(0x300), mark(0x200)},
		[]string{"marking and marking both mark messages with the option 0x200: give one of them another OptionFlag"}},
	{"mark above selection", channel.Limits{}, []channel.Interceptor{mark(0x100), ask(channel.Traits{Selects: 0x100})},
		[]string{"marking marks messages with the option 0x100, by which asking selects what to act on"}},
	{"mark below selection", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Selects: 0x100}), mark(0x100)},
		[]string{"marking marks messages with the option 0x100, by which asking selects what to act on"}},
	{"selected alike", channel.Limits{}, []channel.Interceptor{ask(channel.Traits{Selects: 0x200}), ask(channel.Traits{Selects: 0x200})}, nil},
	{"fits exactly", channel.Limits{MaxFrame: 1000 + 36 + 147}, []channel.Interceptor{split(1000), seal()}, nil},
	{"a byte too large", channel.Limits{MaxFrame: 1000 + 36 + 146}, []channel.Interceptor{split(1000), seal()},
		[]string{"splitting sends up to 1000 bytes at a time, which make a frame of 1183 with what is added to them, and MaxFrame is 1182: make one smaller or the other larger"}},
	{"no limit is told", channel.Limits{}, []channel.Interceptor{split(1 << 30)}, nil},
	{"dropped before it can be confirmed", channel.Limits{AckTimeout: 5 * time.Second},
		[]channel.Interceptor{ask(channel.Traits{AwaitsAcks: 5 * time.Second})},
		[]string{"asking keeps messages for 5s, and the sender waits for acks for 5s"}},
	{"kept for long enough", channel.Limits{AckTimeout: 5 * time.Second}, []channel.Interceptor{ask(channel.Traits{AwaitsAcks: 6 * time.Second})}, nil},
	{"needs what is below it", channel.Limits{}, []channel.Interceptor{ask(needs), new(plain), needed}, nil},
	{"needs what is above it", channel.Limits{}, []channel.Interceptor{needed, ask(needs)},
		[]string{"asking works with a declared that does not stand below it"}},
	{"needs what is not there", channel.Limits{}, []channel.Interceptor{ask(needs)},
		[]string{"asking works with a declared that does not stand below it"}},
	{"everything wrong", channel.Limits{MaxFrame: 1000, AckTimeout: time.Second},
		[]channel.Interceptor{probe(), mark(0x100), split(2000), ask(channel.Traits{NeedsUniqueIDs: true, Selects: 0x100, AwaitsAcks: time.Second})},
		[]string{"marking stands below probing", "splitting stands below probing", "asking stands below splitting",
			"marking marks messages", "splitting sends up to 2000 bytes", "asking keeps messages for 1s"}},
}

func TestStack(t *testing.T) {
	for _, test := range stackTests {
		t.Run(test.name, func(t *testing.T) {
			cfg := newBottom().config()
			cfg.Interceptors = test.layers
			cfg.Sender = limitedSender{cfg.Sender, test.limits}
			checkProblems(t, cfg, test.want)
		})
	}
}

// checkProblems fails the test unless New reports these problems with the stack and
// no other.
func checkProblems(t *testing.T, cfg channel.Config, want []string) {
	t.Helper()
	c, err := channel.New(cfg)
	var got []string
	if err != nil {
		got = strings.Split(err.Error(), "\n")
	} else {
		defer stop(t, c)
	}
	for _, w := range want {
		if err == nil || !strings.Contains(err.Error(), "tribes: channel: stack: "+w) {
			t.Errorf("New() = %v, want it to tell of %q", err, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("New() tells of %d problems, want %d: %q", len(got), len(want), got)
	}
}

// The lower of the two frame limits counts, and what the local member announces is
// part of each frame.
func TestStackFrameLimits(t *testing.T) {
	tests := []struct {
		name             string
		sender, receiver int
		payload          int
		wrong            bool
	}{
		{"both large", 5000, 5000, 0, false},
		{"sender", 1000, 5000, 0, true},
		{"receiver", 5000, 1000, 0, true},
		{"receiver alone", 0, 1000, 0, true},
		{"sender alone", 1000, 0, 0, true},
		{"with a payload", 1200, 1200, 100, true},
		{"without", 1200, 1200, 0, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			cfg := newBottom().config()
			cfg.Interceptors = []channel.Interceptor{layer(channel.Traits{MaxPayload: 1000})}
			cfg.Sender = limitedSender{cfg.Sender, channel.Limits{MaxFrame: test.sender}}
			cfg.Receiver = limitedReceiver{cfg.Receiver, channel.Limits{MaxFrame: test.receiver}}
			cfg.Local.Payload = strings.Repeat("x", test.payload)
			var want []string
			if test.wrong {
				want = []string{"declared sends up to 1000 bytes"}
			}
			checkProblems(t, cfg, want)
		})
	}
}

// Problems with the stack are told together with those of the configuration and of
// the layers themselves.
func TestStackIsToldWithTheRest(t *testing.T) {
	cfg := newBottom().config()
	cfg.StopTimeout = -1
	cfg.Interceptors = []channel.Interceptor{nil, layer(channel.Traits{Probes: true}), layer(channel.Traits{Transforms: true})}
	_, err := channel.New(cfg)
	for _, part := range []string{"StopTimeout", "Interceptors[0]", "declared stands below declared"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("New() = %v, want it to tell of %q", err, part)
		}
	}
}
