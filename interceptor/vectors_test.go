package interceptor

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/internal/golden"
	"github.com/gotribes/tribes/message"
)

// wholeFrames are all frames in interceptors.json, by the name of the
// vector and their number in it: those of layers that are not built here, too.
func wholeFrames(tb testing.TB) map[string][][]byte {
	tb.Helper()
	all := make(map[string][][]byte)
	for _, v := range golden.Read[layerVector](tb, "interceptors.json") {
		type output struct{ Frame, BytesReceivedByTarget string }
		var list []output
		if json.Unmarshal(v.Output, &list) != nil { // one that is not a list
			list = make([]output, 1)
			if err := json.Unmarshal(v.Output, &list[0]); err != nil {
				tb.Fatalf("%s: %v", v.Name, err)
			}
		}
		for _, o := range list {
			all[v.Name] = append(all[v.Name], unhex(tb, o.Frame+o.BytesReceivedByTarget))
		}
	}
	return all
}

// The frames of all layers of Tribes are frames, and make the same bytes again.
func TestFramesOfLayersRoundTrip(t *testing.T) {
	var pool message.Pool
	all := wholeFrames(t)
	if len(all) != 13 {
		t.Fatalf("frames of %d vectors, want 13", len(all))
	}
	for name, frames := range all {
		for i, frame := range frames {
			f, sender := parse(t, frame)
			m := pool.FromFrame(&f, sender, nil)
			if got := message.AppendFrame(nil, m, f.Options&message.NumberedAcks); string(got) != string(frame) {
				t.Errorf("frame %d of %s becomes %x, want %x", i, name, got, frame)
			}
			m.Release()
		}
	}
}

// layersUnderDamage are those whose decoders are tried with damaged vectors.
var layersUnderDamage = map[string]struct {
	layer   func() channel.Interceptor
	vectors []string
}{
	"Gzip": {func() channel.Interceptor { return new(Gzip) }, []string{
		"gzip-default", "gzip-below-min-size", "order-two-members-two-messages", "stack-order-gzip-fragment40-encrypt",
	}},
	"Order": {func() channel.Interceptor { return new(Order) }, []string{
		"order-two-members-two-messages", "gzip-default", "stack-order-gzip-fragment40-encrypt",
	}},
	"Fragmentation": {func() channel.Interceptor { return &Fragmentation{MaxSize: 50, MinSize: -1} }, []string{
		"fragment-three", "fragment-none", "gzip-default",
	}},
	"TwoPhaseCommit": {func() channel.Interceptor { return new(TwoPhaseCommit) }, []string{"two-phase"}},
	"Detector":       {func() channel.Interceptor { return new(TCPFailureDetector) }, []string{"tcp-failure-detector-probe"}},
}

// Every frame of the vectors is cut at every offset of its message, and every bit
// of its message and options is flipped. A layer delivers the result or says why
// not; nothing is left over.
func TestDamagedVectors(t *testing.T) {
	for name, test := range layersUnderDamage {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				all := wholeFrames(t)
				for _, vector := range test.vectors {
					if len(all[vector]) == 0 {
						t.Fatalf("no vector %s", vector)
					}
					for _, frame := range all[vector] {
						f, _ := parse(t, frame)
						damage(t, test.layer(), f)
					}
				}
			})
		})
	}
}

// damage gives every damaged form of f to a layer, and counts what becomes of
// them.
func damage(t *testing.T, layer channel.Interceptor, f message.Frame) {
	t.Helper()
	h := interceptortest.New(t, interceptortest.Config{}, layer)
	h.Start()
	var given, refused int
	give := func(payload []byte, o message.Options) {
		t.Helper()
		given++
		if err := h.Arrive(interceptortest.Member(2), payload, o); err != nil {
			refused++
			if !strings.HasPrefix(err.Error(), "tribes: ") {
				t.Fatalf("Receive of %x with options %s = %v, want nil or an error of the layer", payload, o, err)
			}
		}
	}
	whole := string(f.Message)
	for n := range whole {
		give([]byte(whole[:n]), f.Options)
		for bit := range 8 {
			b := []byte(whole)
			b[n] ^= 1 << bit
			give(b, f.Options)
		}
	}
	for bit := range 32 {
		give([]byte(whole), f.Options^1<<bit)
	}
	h.Stop(context.Background()) // Order holds what has no predecessor until then
	swallowed := 0
	switch layer := layer.(type) {
	case *TCPFailureDetector:
		swallowed = int(layer.Stats().Swallowed)
	case *TCPPing:
		swallowed = int(layer.Stats().Swallowed)
	case *StaticMembers: // notices of somebody who is not on its list
		swallowed = int(layer.Stats().Unknown)
	case *Fragmentation: // parts that wait for others, which nobody sends
		swallowed = int(layer.Stats().Expired)
	case *TwoPhaseCommit: // messages and confirmations that wait for the other
		swallowed = int(layer.Stats().Expired + layer.Stats().Unknown + layer.Stats().Repeated)
	}
	if got := len(h.Top.Received()); got+refused+swallowed != given {
		t.Errorf("of %d messages %d were delivered, %d refused and %d swallowed", given, got, refused, swallowed)
	}
	if len(whole) > 0 && refused == given {
		t.Errorf("all of %d messages were refused", given)
	}
	t.Logf("%d bytes: %d messages, %d refused, %d swallowed", len(whole), given, refused, swallowed)
}
