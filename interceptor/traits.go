package interceptor

import "github.com/gotribes/tribes/channel"

var (
	_ channel.Checked = (*Gzip)(nil)
	_ channel.Checked = (*Order)(nil)
	_ channel.Checked = (*Dispatch)(nil)
	_ channel.Checked = (*TCPFailureDetector)(nil)
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
	return channel.Traits{Probes: true, Selects: d.OptionFlag}
}
