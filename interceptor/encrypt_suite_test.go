package interceptor

import (
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
)

func TestEncryptPassesTheSuite(t *testing.T) {
	key := testKey(t, 1)
	for name, layer := range map[string]func() channel.Interceptor{
		"GCM":              func() channel.Interceptor { return &Encrypt{Key: key} },
		"CBC, in old form": func() channel.Interceptor { return &Encrypt{Key: key, Cipher: AESCBC, OldForm: true} },
	} {
		t.Run(name, func(t *testing.T) {
			interceptortest.Run(t, interceptortest.Suite{New: layer, ActsOnAll: true})
		})
	}
}
