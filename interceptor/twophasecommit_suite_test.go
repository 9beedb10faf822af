package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestTwoPhaseCommitPassesTheSuite(t *testing.T) {
	const flag = message.Options(0x1000)
	tests := []struct {
		name    string
		make    func() channel.Interceptor
		actsAll bool
		bits    message.Options
	}{
		{"Default", func() channel.Interceptor { return new(TwoPhaseCommit) }, true, 0},
		{"Flag", func() channel.Interceptor { return &TwoPhaseCommit{OptionFlag: flag} }, false, flag},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: tt.make, ActsOnAll: tt.actsAll, Options: tt.bits, AllOrNothing: true})
		})
	}
}
