package node

import (
	"fmt"
	"strconv"

	"github.com/gotribes/tribes/message"
)

var modes = map[string]message.Options{
	"none":      message.ByteMessage,
	"ack":       message.ByteMessage | message.UseAck,
	"sync":      message.ByteMessage | message.Sync,
	"async":     message.ByteMessage | message.Async,
	"asyncack":  message.ByteMessage | message.Async | message.UseAck,
	"asyncsync": message.ByteMessage | message.Async | message.Sync,
	"udpmcast":  message.ByteMessage | message.Multicast,
}

// parseMode reads a mode: a word or a decimal number of raw option bits.
func parseMode(s string) (message.Options, error) {
	if o, ok := modes[s]; ok {
		return o, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("mode %q: want none, ack, sync, async, asyncack, asyncsync, udpmcast or option bits", s)
	}
	return message.Options(n), nil
}
