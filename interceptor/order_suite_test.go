package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestOrderPassesTheSuite(t *testing.T) {
	const flag = message.Options(0x1000)
	tests := []struct {
		name    string
		make    func() channel.Interceptor
		actsAll bool
		bits    message.Options
	}{
		{"Default", func() channel.Interceptor { return new(Order) }, true, 0},
		{"Flag", func() channel.Interceptor { return &Order{OptionFlag: flag} }, false, flag},
		{"Drop", func() channel.Interceptor { return &Order{DropExpired: true, MaxQueue: 1} }, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: tt.make, ActsOnAll: tt.actsAll, Options: tt.bits})
		})
	}
}
