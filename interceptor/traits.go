package interceptor

import (
	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/message"
)

var (
	_ channel.Checked = (*Gzip)(nil)
	_ channel.Checked = (*Order)(nil)
	_ channel.Checked = (*Dispatch)(nil)
	_ channel.Checked = (*TCPFailureDetector)(nil)
	_ channel.Checked = (*Encrypt)(nil)
	_ channel.Checked = (*Compress)(nil)
	_ channel.Checked = (*NonBlockingCoordinator)(nil)
)

// Traits implements channel.Checked.
func (g *Gzip) Traits() channel.Traits {
	s, _ := g.settings() // BindDown tells what is wrong with them
	return channel.Traits{Transforms: true, Marks: s.flag}
}

// Traits implements channel.Checked.
func (o *Order) Traits() channel.Traits {
	return channel.Traits{Transforms: true, Selects: o.OptionFlag, Adds: numberSize}
}

// Traits implements channel.Checked.
func (d *Dispatch) Traits() channel.Traits {
	s, _ := d.settings() // BindDown tells what is wrong with them
	return channel.Traits{Selects: s.flag}
}

// Traits implements channel.Checked.
func (d *TCPFailureDetector) Traits() channel.Traits {
	return channel.Traits{Probes: true, Detects: true, Selects: d.OptionFlag}
}

// Traits implements channel.Checked.
func (e *Encrypt) Traits() channel.Traits {
	t := channel.Traits{Transforms: true, Encrypts: true}
	switch e.Cipher {
	case AESGCM:
		t.Adds = gcmAdds
	default:
		t.Adds = cbcAdds
	}
	if !e.OldForm {
		t.Adds += stampSize
	}
	return t
}

// What ciphers add to a message, at most: an iv, and a tag or padding.
const (
	gcmAdds = 12 + 16
	cbcAdds = 16 + 16
)

// Traits implements channel.Checked.
func (c *Compress) Traits() channel.Traits {
	return channel.Traits{Marks: message.Zstd | message.S2}
}

// Traits implements channel.Checked.
func (c *NonBlockingCoordinator) Traits() channel.Traits {
	return channel.Traits{Prompt: true, Confidential: !c.ClearTokens}
}
