package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
	"github.com/gotribes/tribes/message"
)

func TestDispatchPassesTheSuite(t *testing.T) {
	tests := []struct {
		name string
		make func() channel.Interceptor
	}{
		{"Default", func() channel.Interceptor { return new(Dispatch) }},
		{"Retries", func() channel.Interceptor { return &Dispatch{Retries: 2, RetryPause: 1} }},
		{"OneAtATime", func() channel.Interceptor { return &Dispatch{MaxMessages: 1, PutTimeout: -1} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: tt.make, Options: message.Async})
		})
	}
}
