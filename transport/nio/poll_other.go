//go:build !linux

package nio

import (
	"fmt"
	"runtime"
)

func newEpollReactor(*Receiver) (reactor, error) {
	return nil, fmt.Errorf("tribes: receiver: poller epoll: there is none on %s", runtime.GOOS)
}
