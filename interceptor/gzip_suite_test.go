package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestGzipPassesTheSuite(t *testing.T) {
	const own = message.Options(0x200)
	tests := []struct {
		name    string
		make    func() channel.Interceptor
		actsAll bool
		bits    message.Options
	}{
		{"Default", func() channel.Interceptor { return new(Gzip) }, false, message.Gzip},
		{"All", func() channel.Interceptor { return &Gzip{MinSize: -1, OptionFlag: own} }, true, own},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: tt.make, ActsOnAll: tt.actsAll, OwnBits: tt.bits})
		})
	}
}
