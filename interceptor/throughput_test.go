package interceptor

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

func newThroughput(t *testing.T, tp *Throughput, cfg interceptortest.Config) *interceptortest.Harness {
	t.Helper()
	h := interceptortest.New(t, cfg, tp)
	h.Start()
	return h
}

func TestThroughputCounts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		tp := new(Throughput)
		h := newThroughput(t, tp, interceptortest.Config{})
		ten := make([]byte, 10)
		for range 3 {
			if err := h.Send(context.Background(), interceptortest.Members(2, 5), ten, 0); err != nil {
				t.Fatal(err)
			}
		}
		h.Bottom.Use(func(context.Context, []*membership.Member, *message.Message, *message.Receipt) error {
			return errPending
		})
		if err := h.Send(context.Background(), one(peer), ten, 0); err == nil {
			t.Error("Send that is refused below = nil, want an error")
		}
		h.Top.Handle(func(_ context.Context, m *message.Message) error {
			if m.Len() == 0 {
				return errors.New("empty")
			}
			return nil
		})
		for _, n := range []int{10, 5, 0} {
			_ = h.Arrive(peer, ten[:n], 0) // the last one fails
		}
		time.Sleep(1500 * time.Millisecond)
		want := ThroughputStats{
			Elapsed: 1500 * time.Millisecond,
			Sent: Traffic{Messages: 3, Copies: 12, Bytes: 120, Failed: 1,
				Now: Rate{Messages: 3, Bytes: 120}, Mean: Rate{Messages: 2, Bytes: 80}},
			Received: Traffic{Messages: 3, Copies: 3, Bytes: 15, Failed: 1,
				Now: Rate{Messages: 3, Bytes: 15}, Mean: Rate{Messages: 2, Bytes: 10}},
		}
		if d := cmp.Diff(want, tp.Stats()); d != "" {
			t.Errorf("Stats() differ (-want +got):\n%s", d)
		}
		time.Sleep(time.Second)
		if got := tp.Stats(); got.Sent.Now != (Rate{}) || got.Received.Now != (Rate{}) {
			t.Errorf("Stats() after a second of silence = %+v, want no rate now", got)
		}
	})
}

func TestThroughputReports(t *testing.T) {
	tests := []struct {
		name     string
		interval int
		messages int
		want     []string
	}{
		{"each third", 3, 7, []string{
			"INFO throughput received messages=3 bytes=30 failed=0 messages_per_second=1 bytes_per_second=10",
			"INFO throughput received messages=6 bytes=60 failed=0 messages_per_second=1 bytes_per_second=10",
		}},
		{"default", 0, 10_000, []string{
			"INFO throughput received messages=10000 bytes=100000 failed=0 messages_per_second=1 bytes_per_second=10",
		}},
		{"never", -1, 10_000, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				rec := new(recorder)
				tp := &Throughput{Interval: tt.interval}
				h := newThroughput(t, tp, rec.config())
				for range tt.messages {
					time.Sleep(time.Second)
					if err := h.Arrive(peer, make([]byte, 10), 0); err != nil {
						t.Fatal(err)
					}
				}
				if d := cmp.Diff(tt.want, rec.log()); d != "" {
					t.Errorf("log (-want +got):\n%s", d)
				}
			})
		})
	}
}

func TestThroughputReportsWhatIsSent(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		rec := new(recorder)
		h := newThroughput(t, &Throughput{Interval: 2}, rec.config())
		for range 2 {
			time.Sleep(time.Second)
			if err := h.Send(context.Background(), interceptortest.Members(2, 3), make([]byte, 10), 0); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"INFO throughput sent messages=2 bytes=40 failed=0 messages_per_second=1 bytes_per_second=20"}
		if d := cmp.Diff(want, rec.log()); d != "" {
			t.Errorf("log (-want +got):\n%s", d)
		}
	})
}

func TestStatsBeforeALayerIsBound(t *testing.T) {
	if d := cmp.Diff(ThroughputStats{}, new(Throughput).Stats()); d != "" {
		t.Errorf("Throughput (-want +got):\n%s", d)
	}
	if d := cmp.Diff(DomainFilterStats{}, new(DomainFilter).Stats()); d != "" {
		t.Errorf("DomainFilter (-want +got):\n%s", d)
	}
	if d := cmp.Diff(OrderStats{}, new(Order).Stats()); d != "" {
		t.Errorf("Order (-want +got):\n%s", d)
	}
	if d := cmp.Diff(GzipStats{}, new(Gzip).Stats()); d != "" {
		t.Errorf("Gzip (-want +got):\n%s", d)
	}
}
