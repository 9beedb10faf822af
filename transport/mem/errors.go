package mem

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/gotribes/tribes/channel"
)

// ErrCrashed is what a node gets that goes on to work after Network.Crash of its
// host.
var ErrCrashed = errors.New("tribes: mem: the host has crashed")

var (
	errReset     = fmt.Errorf("tribes: mem: %w", syscall.ECONNRESET)
	errForgotten = errors.New("tribes: mem: the member was forgotten")
	errNoUDP     = errors.New("tribes: mem: the member has no UDP port")
)

// startable returns why a part in that state cannot be started. It is called
// with n.mu held.
func (nd *Node) startable(s state) error {
	switch {
	case nd.dead:
		return ErrCrashed
	case s == running:
		return channel.ErrStarted
	case s != fresh:
		return channel.ErrClosed
	}
	return nil
}
