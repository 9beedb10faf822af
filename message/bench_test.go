package message

import (
	"fmt"
	"testing"

	"github.com/gotribes/tribes/membership"
)

var sizes = []int{100, 1 << 10, 16 << 10}

func sized(t testing.TB, p *Pool, size int) *Message {
	m := p.New(size)
	m.ID, m.Source, m.Options = NewID(), newMember(t, 1, nil), Sync
	return m
}

func BenchmarkParse(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var p Pool
			m := sized(b, &p, size)
			defer m.Release()
			frame := AppendFrame(nil, m, 0)
			b.ReportAllocs()
			b.SetBytes(int64(len(frame)))
			for b.Loop() {
				data, _, err := Scan(frame, 0)
				if err != nil {
					b.Fatal(err)
				}
				f, err := ParseFrame(data)
				if err != nil || !m.Source.Is(f.Sender) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkReceive is what a receiver does with a frame in a chunk.
func BenchmarkReceive(b *testing.B) {
	var p Pool
	m := sized(b, &p, 1<<10)
	defer m.Release()
	chunk := p.Get(FrameSize(m))
	defer chunk.Release()
	AppendFrame(chunk.Bytes()[:0], m, 0)
	b.ReportAllocs()
	for b.Loop() {
		data, _, _ := Scan(chunk.Bytes(), 0)
		f, err := ParseFrame(data)
		if err != nil || !m.Source.Is(f.Sender) {
			b.Fatal(err)
		}
		p.FromFrame(&f, m.Source, chunk).Release()
	}
}

func BenchmarkAppendFrame(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			var p Pool
			m := sized(b, &p, size)
			defer m.Release()
			buf := make([]byte, 0, FrameSize(m))
			b.ReportAllocs()
			b.SetBytes(int64(FrameSize(m)))
			for b.Loop() {
				buf = AppendFrame(buf[:0], m, NumberedAcks)
			}
		})
	}
}

func BenchmarkReceipt(b *testing.B) {
	for _, n := range []int{1, 3, 32} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			to := make([]*membership.Member, n)
			for i := range to {
				to[i] = newMember(b, byte(i), nil)
			}
			r := NewReceipt(n, nil)
			r.SettleAll(to, Acknowledged, nil)
			<-r.Done()
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(n, nil)
				r.SettleAll(to, Acknowledged, nil)
				<-r.Done()
			}
		})
	}
}

func BenchmarkNumberedAck(b *testing.B) {
	r := Reply{UpTo: 1000, Settled: []Settled{{Number: 1005, Outcome: Acknowledged}}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendNumberedAck(buf[:0], 0, r.UpTo, r.Settled)
		data, _, _ := Scan(buf, 0)
		if err := ParseReply(data, &r); err != nil {
			b.Fatal(err)
		}
	}
}
