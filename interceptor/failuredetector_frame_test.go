package interceptor

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// probeVector is the frame that a real TcpFailureDetector wrote.
func probeVector(t *testing.T) []byte {
	t.Helper()
	for _, v := range golden.Read[layerVector](t, "interceptors.json") {
		if v.Name != "tcp-failure-detector-probe" {
			continue
		}
		var out struct{ BytesReceivedByTarget golden.Hex }
		if err := json.Unmarshal(v.Output, &out); err != nil {
			t.Fatal(err)
		}
		return out.BytesReceivedByTarget
	}
	t.Fatal("no vector tcp-failure-detector-probe")
	return nil
}

// parse returns the frame in b and its sender.
func parse(t *testing.T, b []byte) (message.Frame, *membership.Member) {
	t.Helper()
	data, size, err := message.Scan(b, 0)
	if err != nil || size != len(b) {
		t.Fatalf("Scan = %d bytes, %v, want one frame of %d bytes", size, err, len(b))
	}
	f, err := message.ParseFrame(data)
	if err != nil {
		t.Fatal(err)
	}
	m, err := f.DecodeSender()
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

func TestProbeFrameIsThatOfTribes(t *testing.T) {
	want := probeVector(t)
	f, sender := parse(t, want)
	bubble.Test(t, func(t *testing.T) {
		var got []byte
		probe := func(_ context.Context, _ *membership.Member, p channel.Probe) error {
			p.Message.Sent = f.Sent
			copy(p.Message.ID[:], f.ID)
			got = message.AppendFrame(nil, p.Message, 0)
			return nil
		}
		h := interceptortest.New(t, interceptortest.Config{Local: sender, Probe: probe}, new(TCPFailureDetector))
		h.Start()
		h.Join(interceptortest.Member(2))
		synctest.Wait()
		if d := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)); d != "" {
			t.Errorf("frame of a probe, with the id and time of the vector, differs (-want +got):\n%s", d)
		}
	})
}

func TestOptionsOfProbes(t *testing.T) {
	tests := []struct {
		name string
		d    *TCPFailureDetector
		kind channel.ProbeKind
		want message.Options
	}{
		{"Default", &TCPFailureDetector{}, channel.ProbeWrite, message.ByteMessage},
		{"Flag", &TCPFailureDetector{OptionFlag: 0x400}, channel.ProbeWrite, message.ByteMessage | 0x400},
		{"Read", &TCPFailureDetector{ReadTest: ReadAlways}, channel.ProbeRead, message.ByteMessage | message.UseAck},
		{"ReadFlag", &TCPFailureDetector{ReadTest: ReadAlways, OptionFlag: 0x400}, channel.ProbeRead, message.ByteMessage | message.UseAck | 0x400},
		{"ReadWithoutSend", &TCPFailureDetector{ReadTest: ReadAlways, NoSendTest: true}, channel.ProbeRead, message.ByteMessage | message.UseAck},
		{"Connect", &TCPFailureDetector{NoSendTest: true}, channel.ProbeConnect, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				var kind channel.ProbeKind
				var options message.Options
				var payload []byte
				probe := func(_ context.Context, _ *membership.Member, p channel.Probe) error {
					kind = p.Kind
					if p.Message != nil {
						options, payload = p.Message.Options, bytes.Clone(p.Message.Payload())
					}
					return nil
				}
				h := interceptortest.New(t, interceptortest.Config{Probe: probe}, tt.d)
				h.Start()
				h.Join(interceptortest.Member(2))
				synctest.Wait()
				if kind != tt.kind || options != tt.want {
					t.Errorf("probe of kind %s with options %s, want %s with %s", kind, options, tt.kind, tt.want)
				}
				if tt.kind != channel.ProbeConnect && string(payload) != probeBytes {
					t.Errorf("probe with the bytes %x, want %x", payload, probeBytes)
				}
			})
		})
	}
}

func TestProbesHaveTheConfiguredTimeouts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, &TCPFailureDetector{ConnectTimeout: 250 * time.Millisecond, ReadTimeout: 700 * time.Millisecond})
		vanished, stopped := interceptortest.Member(2), interceptortest.Member(3)
		b.joined(t, vanished, stopped)
		b.net.set(dark, vanished)
		b.net.set(hung, stopped)
		b.Part(membership.Failed, vanished, stopped)
		b.pass(240 * time.Millisecond)
		b.expect(t, vanished, "")
		b.pass(10 * time.Millisecond)
		b.expect(t, vanished, "failed")
		b.pass(440 * time.Millisecond)
		b.expect(t, stopped, "")
		b.pass(10 * time.Millisecond)
		b.expect(t, stopped, "failed")
	})
}

// A sender that does not return is not waited for.
func TestProbeThatDoesNotHeedItsLimitsIsEnded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, new(TCPFailureDetector))
		m := interceptortest.Member(2)
		b.joined(t, m)
		b.SetProbe(func(ctx context.Context, _ *membership.Member, _ channel.Probe) error {
			<-ctx.Done()
			return ctx.Err()
		})
		b.Part(membership.Failed, m)
		b.pass(2*defaultConnectTimeout + defaultReadTimeout)
		b.expect(t, m, "failed")
	})
}

func TestProbesOfOthersAreSwallowed(t *testing.T) {
	tests := []struct {
		name    string
		flag    message.Options
		options message.Options
		payload string
		want    int
	}{
		{"Probe", 0, message.ByteMessage, probeBytes, 0},
		{"Acked", 0, message.ByteMessage | message.UseAck, probeBytes, 0},
		{"WithFlag", 0x400, message.ByteMessage | 0x400, probeBytes, 0},
		{"WithoutFlag", 0x400, message.ByteMessage, probeBytes, 1},
		{"Longer", 0, message.ByteMessage, probeBytes + "x", 1},
		{"Shorter", 0, message.ByteMessage, probeBytes[:63], 1},
		{"Other", 0, message.ByteMessage, strings.Repeat("x", 64), 1},
		{"Empty", 0, message.ByteMessage, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := &TCPFailureDetector{OptionFlag: tt.flag}
			h := interceptortest.New(t, interceptortest.Config{}, d)
			h.Start()
			if err := h.Arrive(interceptortest.Member(2), []byte(tt.payload), tt.options); err != nil {
				t.Errorf("Receive = %v, want nil", err)
			}
			if got := len(h.Top.Received()); got != tt.want {
				t.Errorf("%d messages passed up, want %d", got, tt.want)
			}
			if got := d.Stats().Swallowed; got != uint64(1-tt.want) {
				t.Errorf("Stats().Swallowed = %d, want %d", got, 1-tt.want)
			}
		})
	}
}

func TestDetectorSettings(t *testing.T) {
	tests := []struct {
		name string
		d    *TCPFailureDetector
		want []string // what the error names; none for good settings
	}{
		{"Default", &TCPFailureDetector{}, nil},
		{"Off", &TCPFailureDetector{SuspectTimeout: -1, Faults: -1, Watchdog: -1, ReadTest: ReadNever}, nil},
		{"All", &TCPFailureDetector{ConnectTimeout: -1, ReadTimeout: -1, ReadTest: 7, OptionFlag: message.UseAck,
			CheckPeriod: 1, MaxProbes: -1, Watchdog: time.Nanosecond},
			[]string{"ConnectTimeout", "ReadTimeout", "ReadTest 7", "OptionFlag", "CheckPeriod", "MaxProbes"}},
		{"Watchdog", &TCPFailureDetector{Watchdog: time.Millisecond}, []string{"Watchdog 1ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.d.settings()
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("settings() = %v, want an error: %t", err, len(tt.want) > 0)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("settings() = %q, want it to name %q", err, want)
				}
			}
		})
	}
}

func TestALayerServesOneChannel(t *testing.T) {
	for _, layer := range []channel.Interceptor{new(TCPFailureDetector), new(Dispatch)} {
		interceptortest.New(t, interceptortest.Config{}, layer)
		if _, err := layer.BindDown(nil, channel.Down{}); err == nil {
			t.Errorf("second BindDown of %T = nil, want an error", layer)
		}
	}
}

func TestStatsOfAnUnboundLayerAreZero(t *testing.T) {
	if d := cmp.Diff(DetectorStats{}, new(TCPFailureDetector).Stats()); d != "" {
		t.Errorf("Stats() of an unbound detector (-want +got):\n%s", d)
	}
	if got := new(Dispatch).Stats(); got != (DispatchStats{}) {
		t.Errorf("Stats() of an unbound Dispatch = %+v, want zero", got)
	}
}
