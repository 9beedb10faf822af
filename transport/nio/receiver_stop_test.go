package nio

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/message"
)

func TestReceiverLifeCycle(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		ctx := t.Context()
		r, err := NewReceiver(ReceiverConfig{Address: "127.0.0.1", Port: AnyPort, Poller: p})
		if err != nil {
			t.Fatal(err)
		}
		g := &rxRig{TB: t, r: r, changed: make(chan struct{})}
		if s := r.Stats(); s.Conns != 0 {
			t.Errorf("Stats before Start: %+v", s)
		}
		if _, err := r.Start(ctx, g.env(nil)); err != nil {
			t.Fatalf("Start: %v", err)
		}
		if _, err := r.Start(ctx, g.env(nil)); !errors.Is(err, channel.ErrStarted) {
			t.Errorf("second Start: %v, want %v", err, channel.ErrStarted)
		}
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { // ends when the receiver has stopped
				if err := r.Stop(ctx); err != nil {
					t.Errorf("Stop: %v", err)
				}
			})
		}
		wg.Wait()
		if _, err := r.Start(ctx, g.env(nil)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Start after Stop: %v, want %v", err, net.ErrClosed)
		}
	})
}

func TestReceiverStopBeforeStart(t *testing.T) {
	r, err := NewReceiver(ReceiverConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	if _, err := r.Start(t.Context(), channel.Env{}); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("Start after Stop: %v, want %v", err, channel.ErrClosed)
	}
}

// TestReceiverStopFinishes stops while a delivery runs: what was received is
// delivered and answered, what comes later is not read, and the connection ends.
func TestReceiverStopFinishes(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, w.receive)
		c, idle, f := g.dial(), g.dial(), newFrames(t)
		c.put(f.frame(optSync, "a") + f.frame(optSync, "b") + f.frame(optNone, "c"))
		w.wantEntered(t, "a")
		g.poll("all to be read", func() bool { return g.r.Stats().Frames == 3 })
		stopped := make(chan struct{})
		go func() { // ends when the receiver has stopped
			defer close(stopped)
			g.stop()
		}()
		idle.wantClosed()
		close(w.open)
		c.want(ackPlainOK, ackPlainOK)
		c.wantClosed()
		<-stopped
		g.wantDelivered("a", "b", "c")
		if _, err := net.DialTimeout("tcp", g.addr(), time.Second); err == nil {
			t.Error("a connection was made after Stop")
		}
	})
}

// TestReceiverStopCuts stops with no time: connections end at once, what waits is
// not delivered, and Stop waits for the delivery that runs.
func TestReceiverStopCuts(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		ctxEnded := make(chan struct{})
		w := newRxGate()
		g := newRx(t, ReceiverConfig{Poller: p}, func(ctx context.Context, m *message.Message) error {
			w.entered <- string(m.Payload())
			<-ctx.Done()
			close(ctxEnded)
			<-w.open
			return nil
		})
		c, f := g.dial(), newFrames(t)
		c.put(f.frame(optSync, "a") + f.frame(optSync, "b") + f.frame(optNone, "c"))
		w.wantEntered(t, "a")
		g.poll("all to be read", func() bool { return g.r.Stats().Frames == 3 })
		stopped := make(chan error)
		go func() { // ends when the receiver has stopped
			ctx, cancel := context.WithCancelCause(context.Background())
			cancel(errors.New("no time"))
			stopped <- g.r.Stop(ctx)
		}()
		c.wantClosed()
		<-ctxEnded
		select {
		case err := <-stopped:
			t.Fatalf("Stop returned %v while a delivery ran", err)
		default:
		}
		close(w.open)
		if err := <-stopped; err == nil || !strings.Contains(err.Error(), "no time") {
			t.Errorf("Stop() = %v, want its cause", err)
		}
		g.wantDelivered("a")
		if n := g.r.Stats().Dropped; n != 2 || !slices.Equal(g.dropped, []string{droppedAtStop, droppedAtStop}) {
			t.Errorf("%d messages dropped, %q, want 2", n, g.dropped)
		}
	})
}

// TestReceiverStopUnderLoad stops while many connections send: what was answered
// was delivered, and nothing is delivered afterwards.
func TestReceiverStopUnderLoad(t *testing.T) {
	eachPoller(t, func(t *testing.T, p Poller) {
		g := newRx(t, ReceiverConfig{Poller: p}, nil)
		var mu sync.Mutex
		acked := 0
		var wg sync.WaitGroup
		for range 8 {
			c, f := g.dial(), newFrames(t)
			wg.Go(func() { // ends when the connection does
				b := make([]byte, len(ackPlainOK))
				for {
					if _, err := io.WriteString(c, f.frame(optSync, "x")); err != nil {
						return
					}
					if _, err := io.ReadFull(c, b); err != nil {
						return
					}
					mu.Lock()
					acked++
					mu.Unlock()
				}
			})
		}
		g.until("the load", func() bool { return len(g.delivered) > 500 })
		g.stop()
		g.mu.Lock()
		delivered := len(g.delivered)
		g.mu.Unlock()
		wg.Wait()
		if acked > delivered {
			t.Errorf("%d messages answered, %d delivered", acked, delivered)
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if len(g.delivered) != delivered {
			t.Errorf("%d messages delivered after Stop", len(g.delivered)-delivered)
		}
	})
}

// pipeListener is a listener in memory.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func newPipeListener() *pipeListener {
	return &pipeListener{make(chan net.Conn), make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { close(l.closed); return nil }
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// newPipeRx starts a receiver in memory and returns a way to connect to it.
func newPipeRx(t *testing.T, cfg ReceiverConfig, handle channel.ReceiveFunc) (*rxRig, func() *rxPeer) {
	l := newPipeListener()
	cfg.Listener, cfg.Advertise = l, "10.0.0.1:4000"
	g := newRx(t, cfg, handle)
	return g, func() *rxPeer {
		here, there := net.Pipe()
		l.conns <- there
		t.Cleanup(func() { here.Close() })
		return &rxPeer{g, here}
	}
}

// TestReceiverOverPipes has the default time limits on a virtual clock.
func TestReceiverOverPipes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g, dial := newPipeRx(t, ReceiverConfig{}, func(_ context.Context, m *message.Message) error {
			if m.Len() > 0 {
				time.Sleep(time.Duration(m.Payload()[0]) * time.Second)
			}
			return nil
		})
		if got := g.addr(); got != "10.0.0.1:4000" {
			t.Errorf("bound to %s, want what is advertised", got)
		}
		f := newFrames(t)
		begin := time.Now()
		silent, partial, slow := dial(), dial(), dial()
		partial.put(f.frame(optSync, ""))
		partial.want(ackPlainOK)
		partial.put(f.frame(optSync, "")[:30])
		slow.put(f.frame(optSync, "\x05"))
		slow.want(ackPlainOK)
		within(t, "an answer after delivery", begin, 5*time.Second, 0)
		silent.wantClosed()
		within(t, "the end of a silent connection", begin, defaultFirstFrame, time.Second)
		partial.wantClosed()
		within(t, "the end of a partial frame", begin, defaultPartial, time.Second)
		time.Sleep(24 * time.Hour)
		slow.put(f.frame(optSync, ""))
		slow.want(ackPlainOK)
	})
}

func within(t *testing.T, what string, begin time.Time, want, slack time.Duration) {
	t.Helper()
	if took := time.Since(begin); took < want || took > want+slack {
		t.Errorf("%s came after %v, want %v to %v", what, took, want, want+slack)
	}
}

// TestReceiverWriteTimeout has a pipe whose other end does not read the answer.
func TestReceiverWriteTimeout(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g, dial := newPipeRx(t, ReceiverConfig{}, nil)
		f := newFrames(t)
		c := dial()
		begin := time.Now()
		c.put(f.frame(optAck, "x"))
		g.until("the rejection", func() bool { return len(g.rejected) == 1 })
		within(t, "the end", begin, defaultRxWrite, 2*time.Second)
		g.wantRejected(reasonWrite)
	})
}

// TestReceiverAcceptBackOff fails to accept for a long time, on a virtual clock:
// it is tried again ever more rarely, and told little.
func TestReceiverAcceptBackOff(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := &failingListener{Listener: newPipeListener(), failing: make(chan int, 1), left: 1 << 30}
		g := newRx(t, ReceiverConfig{Listener: l, Advertise: "10.0.0.1"}, nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := g.r.Stats().AcceptErrors; n < 60 || n > 70 {
			t.Errorf("%d attempts in a minute, want about one a second", n)
		}
		if lines := strings.Count(g.logged(), "\n"); lines < 6 || lines > 7 {
			t.Errorf("%d log lines in a minute, want one each 10 s", lines)
		}
	})
}
