package drivers

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/gotribes/tribes/bench/harness"
)

const (
	rawHead    = 5         // length and a flag that says whether an ack is due
	rawBuffer  = 256 << 10 // what one write or read takes
	rawPending = 4 << 20   // bytes that may wait to be written

	maxRawLinks = 16
)

// RawTCP is the floor: frames with a length in front on one connection per
// destination, writes that take along what has gathered, and cumulative acks.
// It has no membership, no identities, no limits and no recovery.
type RawTCP struct{}

// Name implements harness.Driver.
func (RawTCP) Name() string { return "rawtcp" }

// Open implements harness.Driver.
func (RawTCP) Open(_ context.Context, c harness.MemberConfig) (harness.Node, error) {
	l, err := net.Listen("tcp", rawAddress(c, c.ID))
	if err != nil {
		return nil, err
	}
	n := &rawNode{c: c, listener: l}
	go n.accept() // ends when the listener is closed
	return n, nil
}

func rawAddress(c harness.MemberConfig, id int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(c.Base+id))
}

type rawNode struct {
	c        harness.MemberConfig
	listener net.Listener
	mu       sync.Mutex
	links    []*rawLink
}

// Others implements harness.Node. There is no membership: all others are taken
// to be there, and connections are retried until they are.
func (n *rawNode) Others() int { return n.c.N - 1 }

// Close implements harness.Node. The process ends next, and the links with it.
func (n *rawNode) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	errs := []error{n.listener.Close()}
	for _, l := range n.links {
		errs = append(errs, l.conn.Close())
	}
	return errors.Join(errs...)
}

func (n *rawNode) accept() {
	for {
		conn, err := n.listener.Accept()
		if err != nil {
			return
		}
		go n.receive(conn) // ends with the connection
	}
}

// receive hands payloads to the application, and acks all of one read at once.
func (n *rawNode) receive(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, rawBuffer)
	var big []byte
	var done uint64
	acked := uint64(0)
	for {
		head, err := in.Peek(rawHead)
		if err != nil {
			return
		}
		size, ack := int(binary.BigEndian.Uint32(head)), head[4] != 0
		in.Discard(rawHead)
		if size <= rawBuffer {
			p, err := in.Peek(size)
			if err != nil {
				return
			}
			n.c.Received(p)
			in.Discard(size)
		} else {
			if cap(big) < size {
				big = make([]byte, size)
			}
			if _, err := io.ReadFull(in, big[:size]); err != nil {
				return
			}
			n.c.Received(big[:size])
		}
		if ack {
			done++
		}
		if done > acked && in.Buffered() < rawHead {
			acked = done
			if _, err := conn.Write(binary.BigEndian.AppendUint64(nil, done)); err != nil {
				return
			}
		}
	}
}

// Sender implements harness.Node.
func (n *rawNode) Sender(kind harness.Kind, to []int, _ func()) (func([]byte) error, error) {
	if kind != harness.NoAck && kind != harness.Sync {
		return nil, harness.ErrKind(kind)
	}
	if len(to) > maxRawLinks {
		return nil, fmt.Errorf("%d destinations: want at most %d", len(to), maxRawLinks)
	}
	links := make([]*rawLink, len(to))
	for i, id := range to {
		conn, err := dialRaw(rawAddress(n.c, id))
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", id, err)
		}
		links[i] = newRawLink(conn)
	}
	n.mu.Lock()
	n.links = append(n.links, links...)
	n.mu.Unlock()
	return func(p []byte) error { return sendRaw(links, p, kind == harness.Sync) }, nil
}

// dialRaw waits for a member process that is still starting.
func dialRaw(addr string) (net.Conn, error) {
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for tries := 0; ; tries++ {
		conn, err := net.Dial("tcp", addr)
		if err == nil || tries == 500 {
			return conn, err
		}
		<-retry.C
	}
}

// sendRaw sends to all links, then waits for all acks.
func sendRaw(links []*rawLink, p []byte, ack bool) error {
	var numbers [maxRawLinks]uint64
	for i, l := range links {
		var err error
		if numbers[i], err = l.append(p, ack); err != nil {
			return err
		}
	}
	if !ack {
		return nil
	}
	for i, l := range links {
		if err := l.await(numbers[i]); err != nil {
			return err
		}
	}
	return nil
}

// rawLink is a connection to one destination.
type rawLink struct {
	conn net.Conn

	mu      sync.Mutex
	changed sync.Cond // something below changed
	pending []byte
	sent    uint64 // frames with an ack due
	acked   uint64
	err     error
}

func newRawLink(conn net.Conn) *rawLink {
	l := &rawLink{conn: conn}
	l.changed.L = &l.mu
	go l.write()    // both end with the
	go l.readAcks() // connection
	return l
}

// append adds a frame to what is to be written and returns its number.
func (l *rawLink) append(p []byte, ack bool) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > rawPending && l.err == nil {
		l.changed.Wait()
	}
	flag := byte(0)
	if ack {
		flag = 1
		l.sent++
	}
	l.pending = append(binary.BigEndian.AppendUint32(l.pending, uint32(len(p))), flag)
	l.pending = append(l.pending, p...)
	l.changed.Broadcast()
	return l.sent, l.err
}

func (l *rawLink) await(number uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.acked < number && l.err == nil {
		l.changed.Wait()
	}
	return l.err
}

func (l *rawLink) write() {
	var spare []byte
	for {
		l.mu.Lock()
		for len(l.pending) == 0 && l.err == nil {
			l.changed.Wait()
		}
		l.mu.Unlock()
		runtime.Gosched() // let callers that are ready append first
		l.mu.Lock()
		batch, err := l.pending, l.err
		l.pending = spare[:0]
		l.changed.Broadcast()
		l.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := l.conn.Write(batch); err != nil {
			l.fail(err)
			return
		}
		spare = batch
	}
}

func (l *rawLink) readAcks() {
	in := bufio.NewReader(l.conn)
	var b [8]byte
	for {
		if _, err := io.ReadFull(in, b[:]); err != nil {
			l.fail(err)
			return
		}
		l.mu.Lock()
		l.acked = binary.BigEndian.Uint64(b[:])
		l.changed.Broadcast()
		l.mu.Unlock()
	}
}

func (l *rawLink) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
	}
	l.changed.Broadcast()
}
