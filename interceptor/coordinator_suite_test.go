package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
)

func TestNonBlockingCoordinatorPassesTheSuite(t *testing.T) {
	interceptortest.Run(t, interceptortest.Suite{
		New: func() channel.Interceptor { return new(NonBlockingCoordinator) },
	})
}
