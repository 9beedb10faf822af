package channel

import (
	"errors"
	"fmt"
	"net"
)

// Errors that say why a call did nothing.
var (
	// ErrClosed: the channel has stopped or is stopping. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("tribes: channel: %w", net.ErrClosed)
	// ErrNotStarted: Start was not called yet.
	ErrNotStarted = errors.New("tribes: channel: not started")
	// ErrStarted: Start was called before. A channel is started once.
	ErrStarted = errors.New("tribes: channel: already started")
	// ErrNoMembers: a send to nobody.
	ErrNoMembers = errors.New("tribes: channel: no members to send to")
	// ErrQueueFull: a bounded queue has no room and was told not to wait.
	ErrQueueFull = errors.New("tribes: channel: queue full")
	// ErrServiceOff: the channel was configured without the service that the call needs.
	ErrServiceOff = errors.New("tribes: channel: service is switched off")
	// ErrNoMulticast: the option Multicast, and no membership that can do it.
	ErrNoMulticast = errors.New("tribes: channel: no membership that can multicast messages")
	// ErrNotSecure: a message with the option Secure, and no way to the destination
	// that is protected by TLS. Nothing of it was sent.
	ErrNotSecure = errors.New("tribes: channel: no secure way")
)
