package mem

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// driven is a node without a channel.
type driven struct {
	*Node
	local *membership.Member
	pool  message.Pool
	log   bytes.Buffer
}

func newDriven(t *testing.T, n *Network, host string) *driven {
	t.Helper()
	d := &driven{Node: n.Node(host)}
	var err error
	d.local, err = membership.New(membership.Attributes{Host: d.Addr().Addr(), Port: port, SecurePort: -1, UDPPort: port, ID: membership.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	var trace *channel.Trace
	env := channel.Env{Pool: &d.pool, Trace: trace.WithDefaults(), Logger: slog.New(slog.NewTextHandler(&d.log, nil)),
		Local:   func() *membership.Member { return d.local },
		Deliver: func(context.Context, *message.Message) error { return nil }}
	if _, err := d.Receiver.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	if err := d.Sender.Start(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	d.Membership.Open(env)
	t.Cleanup(func() {
		ctx := context.Background()
		if err := errors.Join(d.Membership.Stop(ctx), d.Sender.Stop(ctx), d.Receiver.Stop(ctx)); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return d
}

// What is no frame ends the connection that it came by, with an outcome for
// everybody on it.
func TestGarbageOnConnection(t *testing.T) {
	garbage := map[string]func(b []byte){
		"magic":  func(b []byte) { b[0]++ },
		"end":    func(b []byte) { b[len(b)-1]++ },
		"inner":  func(b []byte) { b[26] = 200 },
		"sender": func(b []byte) { b[50]++ },
	}
	for name, spoil := range garbage {
		t.Run(name, func(t *testing.T) {
			n := NewNetwork(Config{})
			a, b := newDriven(t, n, "a"), newDriven(t, n, "b")
			send := func(spoil func(b []byte)) message.Result {
				m := a.pool.New(100)
				defer m.Release()
				m.ID, m.Source, m.Options = message.NewID(), a.local, message.UseAck
				r := message.NewReceipt(1, nil)
				fx := n.effects()
				n.mu.Lock()
				s, now := a.Sender, time.Now()
				c := s.conns[b.local.Key()]
				if c == nil {
					c = s.connect(fx, b.local, false, now)
				}
				f := s.newFlight()
				f.load(m, message.FrameSize(m))
				f.to, f.receipt, f.deadline = b.local, r, now.Add(time.Minute)
				s.list(f)
				spoil(f.buf.Bytes())
				c.accept(fx, f, now)
				n.mu.Unlock()
				n.run(fx)
				<-r.Done()
				return r.Results([]*membership.Member{b.local}, nil)[0]
			}
			if r := send(func([]byte) {}); r.Err != nil {
				t.Fatalf("a good frame: %v (%v)", r.Outcome, r.Err)
			}
			var format *message.FormatError
			if r := send(spoil); r.Outcome != message.Unknown || !errors.As(r.Err, &format) {
				t.Errorf("outcome = %v (%v), want %v and a *message.FormatError", r.Outcome, r.Err, message.Unknown)
			}
			if r := send(func([]byte) {}); r.Err != nil {
				t.Errorf("the next frame: %v (%v)", r.Outcome, r.Err)
			}
		})
	}
}

// What is no heartbeat and no message in a datagram is dropped, and told.
func TestGarbageInDatagrams(t *testing.T) {
	n := NewNetwork(Config{})
	a := newDriven(t, n, "a")
	var heard []membership.Event
	a.Membership.env = membership.Env{Logger: slog.New(slog.NewTextHandler(&a.log, nil)),
		Notify: func(ev membership.Event) { heard = append(heard, ev) }}
	a.Membership.hear(datagram{image: []byte("hello")}, time.Now())
	for _, spoil := range []func(b []byte){
		func(b []byte) { b[0]++ },
		func(b []byte) { b[26] = 200 },
		func(b []byte) { b[50]++ },
	} {
		m := a.pool.New(100)
		m.Source = a.local
		frame := a.pool.Get(message.FrameSize(m))
		message.AppendFrame(frame.Bytes()[:0], m, 0)
		m.Release()
		spoil(frame.Bytes())
		a.Membership.multi.take(datagram{frame: frame})
	}
	if heard != nil || a.Membership.multi.inbox.len() != 0 {
		t.Errorf("heard %v, kept %d messages", heard, a.Membership.multi.inbox.len())
	}
	if got := strings.Count(a.log.String(), "\n"); got != 4 {
		t.Errorf("%d lines about 4 bad datagrams:\n%s", got, a.log.String())
	}
}

// A full table is told once.
func TestTableFull(t *testing.T) {
	n := NewNetwork(Config{})
	a := newDriven(t, n, "a")
	s := a.Membership
	s.table.Limit = 1
	heard := 0
	s.env = membership.Env{Logger: slog.New(slog.NewTextHandler(&a.log, nil)), Notify: func(membership.Event) { heard++ }}
	for range 5 {
		m, err := a.local.With(func(at *membership.Attributes) { at.ID = membership.NewID() })
		if err != nil {
			t.Fatal(err)
		}
		s.hear(datagram{from: s, image: []byte(m.Image())}, time.Now())
	}
	if lines := strings.Count(a.log.String(), "\n"); heard != 1 || lines != 1 {
		t.Errorf("%d members taken, %d lines; want 1, 1:\n%s", heard, lines, a.log.String())
	}
}
