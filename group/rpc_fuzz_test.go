package group

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/internal/javaser"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// rig is a layer of remote calls with nothing below it: what it sends is collected.
type rig struct {
	channel.Host // the methods that are not used
	layer        *rpc
	peer         *membership.Member
	pool         message.Pool
	trace        *channel.Trace
	remove       func() // a handler, when what has come is processed
	wg           sync.WaitGroup

	mu   sync.Mutex
	sent [][]byte
}

func newRig(t testing.TB) *rig {
	t.Helper()
	peer, err := membership.New(membership.Attributes{Host: netip.AddrFrom4([4]byte{10, 0, 0, 9}), Port: 4000,
		SecurePort: membership.NoPort, UDPPort: membership.NoPort, ID: membership.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	b := &rig{layer: newRPC(RPCConfig{}, false, -1), peer: peer, trace: new(channel.Trace).WithDefaults()}
	if _, err := b.layer.BindDown(b, channel.Down{Send: b.send}); err != nil {
		t.Fatal(err)
	}
	b.layer.state.Store(rpcOpen)
	return b
}

func (b *rig) Logger() *slog.Logger                 { return slog.New(slog.DiscardHandler) }
func (b *rig) Trace() *channel.Trace                { return b.trace }
func (b *rig) OnStart(func(context.Context) error)  {}
func (b *rig) OnDrain(func(context.Context))        {}
func (b *rig) Go(_ string, f func(context.Context)) { b.wg.Go(func() { f(context.Background()) }) }
func (b *rig) NewMessage(size int) *message.Message { return b.pool.New(size) }

func (b *rig) send(_ context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	b.mu.Lock()
	b.sent = append(b.sent, bytes.Clone(m.Payload()))
	b.mu.Unlock()
	r.SettleAll(to, message.Written, nil)
	return nil
}

// receive gives the layer a message of the peer and returns what it sends because of it.
func (b *rig) receive(stream []byte) ([][]byte, error) {
	m := b.pool.New(len(stream))
	defer m.Release()
	copy(m.Payload(), stream)
	m.Source = b.peer
	err := b.layer.receive(m)
	clear(m.Payload()) // it was borrowed
	b.remove()
	b.wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	sent := b.sent
	b.sent = nil
	return sent, err
}

// wait makes a call of that id that waits for the peer.
func (b *rig) wait(t *testing.T, id message.ID) *call {
	t.Helper()
	w := &b.layer.waiting
	c, err := w.begin([]*Member{b.peer}, AllReplies, nil)
	if err != nil {
		t.Fatal(err)
	}
	delete(w.calls, c.id)
	c.id, w.calls[id] = id, c
	return c
}

// FuzzRPCMessages: any message of a stranger is refused, or has the effect that it says
// and no other. One call waits meanwhile.
func FuzzRPCMessages(f *testing.F) {
	id := message.ID{1, 2, 3, 4}
	asked := (&ticket{id: id}).append(nil)
	failed := (&ticket{id: id, status: statusError}).append(nil)
	for _, uuid := range [][]byte{asked, failed, []byte("0123456789abcdef"), nil} {
		for _, body := range bodies {
			for _, reply := range []bool{false, true} {
				b, err := javaser.AppendRPC(nil, &javaser.RPC{Reply: reply, UUID: uuid, ID: []byte("echo"), Message: body.value})
				if err != nil {
					f.Fatal(err)
				}
				f.Add(b)
				f.Add(b[:len(b)-1])
			}
		}
		b, err := javaser.AppendRPC(nil, &javaser.RPC{NoChannel: true, UUID: uuid, ID: []byte("echo")})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		b := newRig(t)
		serve := func(_ context.Context, req *Request) (Body, error) { return req.Body, nil }
		var err error
		if b.remove, err = b.layer.named(&Group{calls: b.layer}, "echo").HandleBody(serve, HandlerConfig{}); err != nil {
			t.Fatal(err)
		}
		waits := b.wait(t, id)
		sent, err := b.receive(stream)
		call, bad := javaser.DecodeRPC(stream, javaser.Limits{})
		if (err != nil) != (bad != nil) {
			t.Fatalf("receive = %v, DecodeRPC = %v", err, bad)
		}
		_, answers := waits.finish(false, ErrClosed)
		if bad != nil {
			if len(sent) > 0 || answers[0].Outcome != CallCanceled {
				t.Fatalf("damaged, and %d messages sent, the call %s", len(sent), answers[0].Outcome)
			}
			return
		}
		ticket, ours := parseTicket(call.UUID)
		fits := call.Reply && ours && ticket.id == id && len(call.ID) <= maxForeignID
		if fits != (answers[0].Outcome != CallCanceled) {
			t.Fatalf("%+v made the call end with %s", call, answers[0].Outcome)
		}
		checkAnswers(t, call, &ticket, ours, sent)
	})
}

// checkAnswers wants one reply to a request, with its ids, and none to a reply.
func checkAnswers(t *testing.T, call *javaser.RPC, tk *ticket, ours bool, sent [][]byte) {
	t.Helper()
	want := 1
	if call.Reply || len(call.UUID) > maxForeignID || len(call.ID) > maxForeignID || ours && tk.flags&noReplyWanted != 0 {
		want = 0
	}
	if len(sent) > 1 || len(sent) != want && !(ours && tk.left > 0) { // its time may be over
		t.Fatalf("%+v was answered %d times, want %d", call, len(sent), want)
	}
	for _, b := range sent {
		reply, err := javaser.DecodeRPC(b, javaser.Limits{})
		if err != nil {
			t.Fatalf("the answer %x: %v", b, err)
		}
		uuid := bytes.Clone(reply.UUID)
		if ours && !reply.NoChannel {
			uuid[ticketStatus] = call.UUID[ticketStatus]
		}
		if !reply.Reply || !bytes.Equal(uuid, call.UUID) || !bytes.Equal(reply.ID, call.ID) || reply.NoChannel == (string(call.ID) == "echo") {
			t.Fatalf("%+v was answered with %+v", call, reply)
		}
	}
}
