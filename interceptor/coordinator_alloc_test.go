//go:build !race

package interceptor

import (
	"bytes"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

var coordinators = map[string]func() channel.Interceptor{
	"NonBlockingCoordinator": func() channel.Interceptor { return new(NonBlockingCoordinator) },
	"SimpleCoordinator":      func() channel.Interceptor { return new(SimpleCoordinator) },
}

func TestCoordinatorsAllocateNothing(t *testing.T) {
	text := bytes.Repeat([]byte("some text "), 400)
	for name, layer := range coordinators {
		for what, f := range map[string]func(){
			"sends":                            sending(t, layer(), interceptortest.Members(2, 9), text),
			"receives":                         receiving(t, layer(), text, message.ByteMessage, false),
			"receives what is no byte message": receiving(t, layer(), text, 0, false),
		} {
			for range 100 {
				f()
			}
			if got := testing.AllocsPerRun(1000, f); got != 0 {
				t.Errorf("%s %s: %v allocations, want 0", name, what, got)
			}
		}
	}
}

func BenchmarkCoordinators(b *testing.B) {
	text := bytes.Repeat([]byte("some text "), 100)
	for name, f := range map[string]func() func(){
		"None/receive":                   func() func() { return receiving(b, silent{}, text, message.ByteMessage, false) },
		"NonBlockingCoordinator/receive": func() func() { return receiving(b, new(NonBlockingCoordinator), text, message.ByteMessage, false) },
		"SimpleCoordinator/receive":      func() func() { return receiving(b, new(SimpleCoordinator), text, message.ByteMessage, false) },
		"None/send":                      func() func() { return sending(b, silent{}, interceptortest.Members(2, 2), text) },
		"NonBlockingCoordinator/send":    func() func() { return sending(b, new(NonBlockingCoordinator), interceptortest.Members(2, 2), text) },
	} {
		b.Run(name, func(b *testing.B) {
			f := f()
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
