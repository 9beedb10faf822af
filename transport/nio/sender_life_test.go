package nio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/bubble"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// TestRoomIsGranted lets senders wait for room and go on, first come first
// served, when there is some.
func TestRoomIsGranted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{QueueMessages: 1})
		f := b.member()
		c := b.provenAs(f, true)
		f.setRefuse(errRefused) // no more connections
		sent := make(chan *sending, 10)
		for i := range 10 {
			go func() { sent <- b.send(message.UseAck, fmt.Sprint(i), f) }() // ends when it is accepted
			synctest.Wait()
		}
		for i := range 10 {
			c.want(fmt.Sprint(i))
			c.ack()
		}
		for range 10 {
			(<-sent).want(message.Acknowledged, nil)
		}
	})
}

// TestRoomAndContext lets the context of one of two that wait end.
func TestRoomAndContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{QueueMessages: 1})
		f := b.member()
		c := b.provenAs(f, true)
		f.setRefuse(errRefused)
		b.send(message.UseAck, "busy", f)
		b.send(message.UseAck, "queued", f)
		ctx, cancel := context.WithCancelCause(t.Context())
		sent := make(chan *sending, 2)
		go func() { sent <- b.sendCtx(ctx, message.UseAck, "impatient", f) }() // ends with ctx
		synctest.Wait()
		go func() { sent <- b.send(message.UseAck, "patient", f) }() // ends when it is accepted
		synctest.Wait()
		reason := errors.New("no time")
		cancel(reason)
		(<-sent).want(message.NotSent, reason)
		for _, payload := range []string{"busy", "queued", "patient"} {
			c.want(payload)
			c.ack()
		}
		(<-sent).want(message.Acknowledged, nil)
	})
}

// TestAbandonedMakeRoom has a full queue that nobody waits for.
func TestAbandonedMakeRoom(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{QueueMessages: 2})
		f := b.member()
		c := b.provenAs(f, true)
		f.setRefuse(errRefused)
		busy := b.send(message.UseAck, "busy", f)
		c.want("busy")
		for range 2 {
			b.send(message.UseAck, "abandoned", f).receipt.Abandon()
		}
		s := b.send(message.UseAck, "x", f) // would block for ever
		c.ack()
		c.want("x")
		c.ack()
		busy.want(message.Acknowledged, nil)
		s.want(message.Acknowledged, nil)
	})
}

// TestStopDrains sends what was accepted, and takes nothing more.
func TestStopDrains(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{QueueMessages: 2})
		f := b.member()
		c := b.provenAs(f, true)
		f.hang = true
		var all []*sending
		for i := range 3 {
			all = append(all, b.send(message.UseAck, fmt.Sprint(i), f))
			synctest.Wait()
		}
		blocked := b.sendLater(message.UseAck, "blocked", f)
		synctest.Wait()
		stopped := make(chan error, 2)
		for range 2 {
			go func() { stopped <- b.s.Stop(context.Background()) }() // ends with the stop
		}
		(<-blocked).want(message.NotSent, channel.ErrClosed)
		for i, s := range all {
			c.want(fmt.Sprint(i))
			c.ack()
			s.want(message.Acknowledged, nil)
		}
		c.wantEnd()
		for range 2 {
			if err := <-stopped; err != nil {
				t.Errorf("Stop: %v", err)
			}
		}
		m := b.message(0, "late")
		defer m.Release()
		r := message.NewReceipt(1, nil)
		if err := b.s.Send(t.Context(), []*membership.Member{f.member}, m, r); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Send after Stop: %v, want %v", err, channel.ErrClosed)
		}
		if err := b.s.Probe(t.Context(), f.member, channel.Probe{Kind: channel.ProbeConnect}); !errors.Is(err, channel.ErrClosed) {
			t.Errorf("Probe after Stop: %v, want %v", err, channel.ErrClosed)
		}
	})
}

// TestStopCuts settles everything when the time for an orderly stop is over.
func TestStopCuts(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		answers, reads, dials := b.member(), b.member(), b.member()
		dials.hang = true
		c := b.provenAs(answers, true)
		answers.hang = true
		written := b.send(message.UseAck, "written", answers)
		c.want("written")
		queued := b.send(message.UseAck, "queued", answers)
		half := b.send(message.UseAck, "half", reads)
		if _, err := reads.accept().Read(make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		never := b.send(message.UseAck, "never", dials)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := b.s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop: %v, want %v", err, context.DeadlineExceeded)
		}
		for _, s := range []*sending{written, queued, half, never} {
			if s.pending() {
				t.Error("Stop returned before everything was settled")
			}
		}
		written.want(message.Unknown, channel.ErrClosed)
		queued.want(message.NotSent, channel.ErrClosed)
		half.want(message.NotSent, channel.ErrClosed)
		never.want(message.NotSent, channel.ErrClosed)
		if len(b.faults) > 0 {
			t.Errorf("Fault was called for %v", b.faults)
		}
	})
}

func TestLifeCycle(t *testing.T) {
	s, err := NewSender(SenderConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var pool message.Pool
	b := &bench{T: t, local: testMember(t, "10.0.0.1", 4000)}
	to := testMember(t, "127.0.0.1", 1)
	m := pool.New(1)
	defer m.Release()
	m.Source = b.local
	if err := s.Send(t.Context(), []*membership.Member{to}, m, message.NewReceipt(1, nil)); !errors.Is(err, channel.ErrNotStarted) {
		t.Errorf("Send before Start: %v, want %v", err, channel.ErrNotStarted)
	}
	if err := s.Start(t.Context(), b.env()); err != nil {
		t.Errorf("Start: %v", err)
	}
	if err := s.Start(t.Context(), b.env()); !errors.Is(err, channel.ErrStarted) {
		t.Errorf("second Start: %v, want %v", err, channel.ErrStarted)
	}
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	}
	if err := s.Start(t.Context(), b.env()); !errors.Is(err, channel.ErrClosed) {
		t.Errorf("Start after Stop: %v, want %v", err, channel.ErrClosed)
	}
	if s, err = NewSender(SenderConfig{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start: %v", err)
	}
}

// TestTooLarge refuses before anything is sent.
func TestTooLarge(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{MaxFrame: 2000})
		f := b.member()
		m := b.message(message.UseAck, strings.Repeat("x", 2000))
		defer m.Release()
		r := message.NewReceipt(1, nil)
		err := b.s.Send(t.Context(), []*membership.Member{f.member}, m, r)
		if !errors.Is(err, message.ErrTooLarge) {
			t.Errorf("Send: %v, want %v", err, message.ErrTooLarge)
		}
		m.Trim(message.FrameSize(m) - 2000)
		r = message.NewReceipt(1, nil)
		if err := b.s.Send(t.Context(), []*membership.Member{f.member}, m, r); err != nil {
			t.Errorf("Send of the largest frame: %v", err)
		}
		c := f.accept()
		c.frame()
		c.ack()
		<-r.Done()
	})
}

// TestUnusableAddress settles the destination, and tells of it.
func TestUnusableAddress(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		for _, host := range []string{"0.0.0.0", "228.0.0.4"} {
			s := b.send(0, "x", &fake{member: testMember(t, host, 4000)})
			s.want(message.NotSent, errAddress)
			if !b.faulted(s.id) {
				t.Error("Fault was not called")
			}
		}
	})
}

func TestSenderStats(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		b := newBench(t, SenderConfig{})
		f := b.member()
		c := b.proven(f)
		for i, wait := range []time.Duration{3, 5, 100} {
			s := b.send(message.Sync, "x", f)
			c.want("x")
			<-time.After(wait * time.Millisecond)
			c.numbered(uint64(i + 2))
			s.want(message.Acknowledged, nil)
		}
		b.send(message.Sync, "in flight", f)
		c.want("in flight")
		synctest.Wait()
		got := b.s.Stats()[0]
		if got.Member.Key() != f.member.Key() {
			t.Errorf("Member = %v, want %v", got.Member, f.member)
		}
		wait := got.AckWait
		got.Member, got.AckWait = nil, WaitStats{}
		const size = 135 // of a frame without payload
		want := MemberStats{Acks: "numbered", Links: 1, InFlight: 1, Sent: 5, SentBytes: 5*size + 5 + 3 + 9}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Stats (-want +got):\n%s", diff)
		}
		if wait.Count != 4 || wait.Min != 0 || wait.Max != 100*time.Millisecond || wait.Mean != 27*time.Millisecond {
			t.Errorf("AckWait = %+v", wait)
		}
		if wait.Buckets[0] != 1 || wait.Buckets[12] != 1 || wait.Buckets[13] != 1 || wait.Buckets[17] != 1 {
			t.Errorf("Buckets = %v", wait.Buckets)
		}
	})
}

func TestSenderConfig(t *testing.T) {
	_, err := NewSender(SenderConfig{
		Retries: 1000, MaxFrame: 3, Window: -1, WindowBytes: -1, QueueMessages: -1, QueueBytes: -1,
		Pool:   SenderPool{Size: 2000, Links: 100},
		Socket: SocketOptions{ReadBuffer: -1, WriteBuffer: -1, TrafficClass: 256},
	})
	if err == nil {
		t.Fatal("NewSender accepted nonsense")
	}
	for _, field := range []string{"Retries 1000", "MaxFrame 3", "Window -1", "WindowBytes -1", "QueueMessages -1",
		"QueueBytes -1", "Pool.Size 2000", "Pool.Links 100", "Socket.ReadBuffer -1", "Socket.WriteBuffer -1", "Socket.TrafficClass 256"} {
		if !strings.Contains(err.Error(), field+": want ") {
			t.Errorf("the error does not name %s and what is legal:\n%v", field, err)
		}
	}
	cfg := SenderConfig{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errRefused }}
	if _, err := NewSender(cfg); err != nil {
		t.Errorf("NewSender: %v", err)
	}
	if cfg.MaxFrame != 0 || cfg.Timeouts.Ack != 0 {
		t.Error("NewSender changed the caller's struct")
	}
}

// TestStopWhileSending has senders at work when the stop begins: every message
// is either refused or settled before Stop returns.
func TestStopWhileSending(t *testing.T) {
	for range 20 {
		b := newTCPBench(t, SenderConfig{QueueMessages: 4})
		f := b.listen()
		go func() { // ends with the test's connections
			for c := range f.conns {
				go c.serve(true) // ends with the connection
			}
		}()
		var callers sync.WaitGroup
		begun := make(chan struct{})
		for range 4 {
			callers.Go(func() { // ends when the sender is closed
				for i := 0; ; i++ {
					if i == 10 {
						begun <- struct{}{}
					}
					m := b.message(message.UseAck, "x")
					r := message.NewReceipt(1, nil)
					err := b.s.Send(t.Context(), []*membership.Member{f.member}, m, r)
					m.Release()
					if err == nil {
						<-r.Done()
						continue
					}
					if !errors.Is(err, channel.ErrClosed) {
						t.Errorf("Send: %v", err)
					}
					return
				}
			})
		}
		for range 4 {
			<-begun
		}
		if err := b.s.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		callers.Wait()
		close(f.conns)
	}
}

// TestSenderDefaultsAreStable feeds WithDefaults with its own result.
func TestSenderDefaultsAreStable(t *testing.T) {
	for _, cfg := range []SenderConfig{{}, {Retries: -5, Timeouts: SenderTimeouts{Connect: -1, Write: -1, Ack: -1}, Pool: SenderPool{MaxUses: -1, MaxAge: -1}}} {
		once, err := cfg.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		twice, err := once.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		once.Dial, twice.Dial = nil, nil // functions do not compare
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("defaults of the defaults (-once +twice):\n%s", diff)
		}
	}
}
