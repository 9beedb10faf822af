package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestFragmentationPassesTheSuite(t *testing.T) {
	const flag = message.Options(0x1000)
	tests := []struct {
		name string
		make func() channel.Interceptor
		bits message.Options
	}{
		{"Default", func() channel.Interceptor { return new(Fragmentation) }, 0},
		{"SmallWithFlag", func() channel.Interceptor { return &Fragmentation{MaxSize: 5000, OptionFlag: flag} }, flag},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: tt.make, ActsOnAll: true, Options: tt.bits})
		})
	}
}
