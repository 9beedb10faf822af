package nio

import (
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// SocketOptions are the options of TCP connections. Options that a connection
// does not have, because it is no TCP connection, are left alone.
type SocketOptions struct {
	// ReadBuffer and WriteBuffer are the sizes of the system's buffers in bytes.
	// Zero leaves them to the system, which then adapts them to the traffic.
	ReadBuffer, WriteBuffer int
	// Delay lets the system hold back small writes to join them with later ones.
	// It saves nothing here and costs up to 40 ms; it is off by default.
	Delay bool
	// KeepAlive is how long a connection is silent before the system probes the
	// other end, and the time between probes. Zero means 15 s, negative none.
	KeepAlive time.Duration
	// TrafficClass is the DSCP and ECN byte of the packets, 0 to 255; Tribes uses
	// 28. Zero leaves it to the system.
	TrafficClass int
	// BusyPoll is how long a goroutine that waits for bytes asks the system for them
	// before it sleeps; at most 10 ms. It does so while bytes come that soon, and
	// only as long as the process has a processor for everything else. It can make
	// acknowledged sends several times as fast where a processor is idle, and slower
	// where none is: measure it where it is to run (100 µs is a start). Zero means
	// not at all. Only Linux does it, and not for TLS.
	BusyPoll time.Duration
}

const (
	defaultKeepAlive = 15 * time.Second
	maxBusyPoll      = 10 * time.Millisecond
)

func (o *SocketOptions) validate(subject string) []error {
	var errs []error
	bad := func(name string, v int, want string) {
		errs = append(errs, fmt.Errorf("tribes: %s: Socket.%s %d: want %s", subject, name, v, want))
	}
	if o.ReadBuffer < 0 {
		bad("ReadBuffer", o.ReadBuffer, "bytes, or 0 for the system's choice")
	}
	if o.WriteBuffer < 0 {
		bad("WriteBuffer", o.WriteBuffer, "bytes, or 0 for the system's choice")
	}
	if o.TrafficClass < 0 || o.TrafficClass > 255 {
		bad("TrafficClass", o.TrafficClass, "0 to 255")
	}
	if o.BusyPoll < 0 || o.BusyPoll > maxBusyPoll {
		errs = append(errs, fmt.Errorf("tribes: %s: Socket.BusyPoll %v: want 0 to %v", subject, o.BusyPoll, maxBusyPoll))
	}
	return errs
}

// tcpConn is what options are set on: a *net.TCPConn, or what a dial function
// of the caller returns in its place.
type tcpConn interface {
	SetNoDelay(bool) error
	SetKeepAliveConfig(net.KeepAliveConfig) error
	SetReadBuffer(int) error
	SetWriteBuffer(int) error
}

// apply sets the options on c. The error joins what the system refused; the
// connection can be used all the same.
func (o *SocketOptions) apply(c net.Conn) error {
	t, ok := inner(c).(tcpConn)
	if !ok {
		return nil
	}
	errs := []error{t.SetNoDelay(!o.Delay), t.SetKeepAliveConfig(o.keepAlive())}
	if o.ReadBuffer > 0 {
		errs = append(errs, t.SetReadBuffer(o.ReadBuffer))
	}
	if o.WriteBuffer > 0 {
		errs = append(errs, t.SetWriteBuffer(o.WriteBuffer))
	}
	if o.TrafficClass > 0 {
		errs = append(errs, setTrafficClass(inner(c), o.TrafficClass))
	}
	return errors.Join(errs...)
}

func (o *SocketOptions) keepAlive() net.KeepAliveConfig {
	period := o.KeepAlive
	if period == 0 {
		period = defaultKeepAlive
	}
	return net.KeepAliveConfig{Enable: period > 0, Idle: period, Interval: period}
}

func setTrafficClass(c net.Conn, class int) error {
	if a, ok := c.LocalAddr().(*net.TCPAddr); ok && a.IP.To4() != nil {
		return ipv4.NewConn(c).SetTOS(class)
	}
	return ipv6.NewConn(c).SetTrafficClass(class)
}

// inner is the connection below c if c wraps one, as a TLS connection does.
func inner(c net.Conn) net.Conn {
	for {
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = w.NetConn()
	}
}

// abort closes c such that what it has buffered is thrown away and the other
// end is told: nothing written to c can arrive later unnoticed.
func abort(c net.Conn) {
	c = inner(c)
	if t, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = t.SetLinger(0) // an error means that it is closed already
	}
	_ = c.Close() // likewise
}
