package interceptor

import (
	"fmt"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/interceptor/interceptortest"
)

func TestEncryptPassesTheSuite(t *testing.T) {
	for _, c := range []Cipher{AESGCM, AESCBC} {
		for _, old := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/old form %t", c, old), func(t *testing.T) {
				interceptortest.Run(t, interceptortest.Suite{
					New:       func() channel.Interceptor { return &Encrypt{Key: testKey(t, 1), Cipher: c, OldForm: old} },
					ActsOnAll: true,
				})
			})
		}
	}
}
