//go:build interop

package interop

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/transport/nio"
)

// TestLostAcks takes away answers of ours on their way to a Java sender: it sees its connection end instead and sends
// the message again, with the same id. It is told that all is well, and our application has each message once, in order.
func TestLostAcks(t *testing.T) {
	const count, loseEvery = 400, 20
	for _, v := range versions {
		t.Run(string(v), func(t *testing.T) {
			t.Parallel() // mostly waiting
			ctx := testContext(t)
			address := freeGroup(t)
			l := listen(t)
			w := startThief(t, l.Addr().String())
			n := startNode(ctx, t, goConfig{Group: address, Options: []group.Option{
				group.WithReceiver(nio.ReceiverConfig{Listener: l, Advertise: w.addr()}),
			}})
			p := startPeer(ctx, t, v, peerConfig{Group: address})
			meet(ctx, t, n, p)
			w.loseEvery.Store(loseEvery)
			b := bulkSend{To: n.id, Options: optSync, Series: series{12, 1000}, Count: count}
			r := p.bulkDone(ctx, p.startBulk(b))
			lost := int(w.lost.Load())
			t.Logf("%d answers lost, %d messages sent again", lost, len(r.Retries))
			if r.Failed != 0 || lost < count/loseEvery || len(r.Retries) != lost {
				t.Errorf("%d answers lost, %d of %d messages failed and %d were sent again; want %d answers lost at least, none failed, and one sent again for each",
					lost, r.Failed, count, len(r.Retries), count/loseEvery)
			}
			checkSeries(t, n.recorder.from(p.id), b.Series, count, inOrder)
			if d := n.group.Stats().Receiver.Duplicates; d != uint64(lost) {
				t.Errorf("%d messages were recognised as repeats, want %d", d, lost)
			}
		})
	}
}

// thief passes connections on to a server, and some of the answers not.
type thief struct {
	listener  net.Listener
	server    string
	loseEvery atomic.Int64 // which answers are lost; 0 for none
	answers   atomic.Int64 // since loseEvery was set
	lost      atomic.Int64
	work      sync.WaitGroup

	mu     sync.Mutex
	conns  []net.Conn
	closed bool
}

// startThief starts one, which is stopped when the test ends.
func startThief(t *testing.T, server string) *thief {
	t.Helper()
	w := &thief{listener: listen(t), server: server}
	w.work.Go(w.accept) // ends when the listener is closed
	t.Cleanup(func() {
		if err := w.listener.Close(); err != nil {
			t.Error(err)
		}
		w.mu.Lock()
		w.closed = true
		for _, c := range w.conns {
			c.Close() // may be closed already
		}
		w.mu.Unlock()
		w.work.Wait()
	})
	return w
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp4", loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (w *thief) addr() string { return w.listener.Addr().String() }

func (w *thief) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp4", w.server)
		if err != nil {
			client.Close() // as if it had been refused
			continue
		}
		if !w.keep(client, server) {
			return
		}
		w.work.Go(func() { // ends when either end closes, or the test
			io.Copy(server, client) // the end of one is that of the other, whatever its reason
			server.(*net.TCPConn).CloseWrite()
		})
		w.work.Go(func() {
			w.answer(client, server)
			client.Close()
			server.Close()
		})
	}
}

// keep makes the end of the test close the connections, or closes them if it was.
func (w *thief) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		for _, c := range conns {
			c.Close()
		}
		return false
	}
	w.conns = append(w.conns, conns...)
	return true
}

// answer passes on what the server says until an answer is to be lost.
func (w *thief) answer(client io.Writer, server io.Reader) {
	b := make([]byte, 4096)
	for {
		n, err := server.Read(b)
		if every := w.loseEvery.Load(); n > 0 && every > 0 && w.answers.Add(1)%every == 0 {
			w.lost.Add(1)
			return
		}
		if _, werr := client.Write(b[:n]); errors.Join(err, werr) != nil {
			return
		}
	}
}
