//go:build !race && !tribesdebug

package nio

import (
	"encoding/binary"
	"net"
	"runtime/debug"
	"testing"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// serveFast answers acked frames, once for all of one read, without allocating.
func serveFast(conn net.Conn, numbered bool) {
	defer conn.Close()
	buf, answer := make([]byte, 2<<20), make([]byte, 0, 64<<10)
	have, acked := 0, uint64(0)
	for {
		n, err := conn.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		used, before := 0, acked
		answer = answer[:0]
		for {
			data, size, err := message.Scan(buf[used:have], 0)
			if err != nil || data == nil {
				break
			}
			used += size
			if message.Options(binary.BigEndian.Uint32(data)).Acked() {
				acked++
				if !numbered {
					answer = append(answer, message.AckFrame...)
				}
			}
		}
		have = copy(buf, buf[used:have])
		if numbered && acked > before {
			answer = message.AppendNumberedAck(answer, 0, acked, nil)
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// fastPeers makes members that answer as fast as they can.
func (b *bench) fastPeers(n int, numbered bool) []*membership.Member {
	b.Helper()
	var to []*membership.Member
	for range n {
		f := b.listen()
		to = append(to, f.member)
		go func() { // ends when the test's connections are closed
			for c := range f.conns {
				go serveFast(c.Conn, numbered) // ends with the connection
			}
		}()
		b.Cleanup(func() { close(f.conns) })
	}
	return to
}

// TestSendAllocatesNothing counts what callers, writer and reader allocate
// together once everything has its size.
func TestSendAllocatesNothing(t *testing.T) {
	tests := []struct {
		name     string
		members  int
		size     int
		batch    int // messages that are sent before the first is waited for
		options  message.Options
		numbered bool
	}{
		{"acked", 1, 1 << 10, 1, message.Sync, true},
		{"plain acks", 1, 1 << 10, 1, message.Sync, false},
		{"three members", 3, 1 << 10, 1, message.Sync, true},
		{"many at a time", 1, 1 << 10, 64, message.Sync, true},
		{"large", 1, 100 << 10, 4, message.Sync, true},
		{"a megabyte and its frame", 1, 1 << 20, 1, message.Sync, true},
		{"unacked", 1, 1 << 10, 16, 0, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newTCPBench(t, SenderConfig{})
			to := b.fastPeers(tt.members, tt.numbered)
			receipts := make([]*message.Receipt, tt.batch)
			for i := range receipts {
				receipts[i] = message.NewReceipt(0, nil)
			}
			payload := make([]byte, tt.size)
			round := func() {
				for _, r := range receipts {
					r.Reset(len(to), nil)
					m := b.pool.New(tt.size)
					copy(m.Payload(), payload)
					m.ID, m.Source, m.Options = message.NewID(), b.local, tt.options|message.ByteMessage
					if err := b.s.Send(t.Context(), to, m, r); err != nil {
						t.Fatal(err)
					}
					m.Release()
				}
				for _, r := range receipts {
					<-r.Done()
					if !r.OK() {
						t.Fatalf("results = %+v", r.Results(to, nil))
					}
				}
			}
			const rounds = 500
			many := func() {
				for range rounds {
					round()
				}
			}
			defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it empties pools
			many()
			if n := testing.AllocsPerRun(1, many); n > rounds/50 {
				t.Errorf("%v allocations for %d messages to %d members, want none", n, rounds*tt.batch, tt.members)
			}
		})
	}
}
