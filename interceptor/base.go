package interceptor

import (
	"errors"

	"github.com/gotribes/tribes/channel"
)

// base is what most layers keep of the place in a stack that they are bound to.
type base struct {
	host  channel.Host
	next  channel.SendFunc
	drops drops
}

// errBound: a layer was given to a second channel.
var errBound = errors.New("tribes: interceptor: a layer serves one channel and this one is bound")

// bind takes a place, once. problem is what is wrong with the settings of the layer, nil
// if nothing is.
func (b *base) bind(layer string, h channel.Host, below channel.Down, problem error) error {
	switch {
	case b.host != nil:
		return errBound
	case problem != nil:
		return problem
	}
	b.host, b.next = h, below.Send
	b.drops.layer, b.drops.host = layer, h
	return nil
}
