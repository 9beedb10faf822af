package sessionwire

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gotribes/tribes/session/internal/record"
)

// oneAttribute is a change of one attribute; the old value is known to the other side.
func oneAttribute(b testing.TB, size int) *Change {
	s := record.New(site('a', record.Limits{}), key(7))
	must(b, s.SetID("0123456789ABCDEF0123456789ABCDEF.node1"), s.Set("user", make([]byte, size)))
	s.Take(start)
	value := make([]byte, size)
	value[size/2] = 1
	must(b, s.Set("user", value))
	return &Change{*s.Take(start)}
}

func BenchmarkChange(b *testing.B) {
	for _, size := range []int{16, 1 << 10, 100 << 10} {
		c := oneAttribute(b, size)
		plain := *c
		plain.Attributes = append([]record.Attribute(nil), c.Attributes...)
		plain.Attributes[0].Base = record.Base{}
		b.Run(fmt.Sprintf("append/%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			out := make([]byte, 0, 2*size+200)
			for b.Loop() {
				out = Append(out[:0], &plain)
			}
			b.ReportMetric(float64(len(out)), "wire-B")
		})
		b.Run(fmt.Sprintf("append-difference/%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			out := make([]byte, 0, 2*size+200)
			for b.Loop() {
				out = Append(out[:0], c)
			}
			b.ReportMetric(float64(len(out)), "wire-B")
		})
		b.Run(fmt.Sprintf("decode/%dB", size), func(b *testing.B) {
			b.ReportAllocs()
			in := Append(nil, &plain)
			for b.Loop() {
				if _, err := Decode(in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// From the write on one node to the merged value on the other.
func BenchmarkWriteToMerge(b *testing.B) {
	for _, size := range []int{16, 1 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			x, y := record.New(record.NewSite(node('a').ID(), record.Limits{}, false), key(7)), record.New(record.NewSite(node('b').ID(), record.Limits{}, false), key(7))
			values := [2][]byte{bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)}
			var out []byte
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				must(b, x.Set("user", values[i%2]))
				out = Append(out[:0], &Change{*x.Take(start)})
				m, err := Decode(out)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := y.Merge(&m.(*Change).Change, start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A block of state transfer: sessions with one attribute of 1 KiB.
func BenchmarkStateBlock(b *testing.B) {
	const sessions = 1000
	block := &StateBlock{}
	for i := range uint64(sessions) {
		s := record.New(site('a', record.Limits{}), key(i))
		must(b, s.SetID(fmt.Sprintf("%032X.node1", i)), s.SetTimeout(1800e9, start), s.Set("user", make([]byte, 1<<10)))
		s.Take(start)
		block.Sessions = append(block.Sessions, *s.Snapshot(start))
	}
	buf := Append(nil, block)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			buf = Append(buf[:0], block)
		}
		b.ReportMetric(float64(len(buf))/sessions, "wire-B/session")
	})
	b.Run("decode-merge", func(b *testing.B) {
		b.ReportAllocs()
		own := record.NewSite(node('b').ID(), record.Limits{}, false)
		for b.Loop() {
			m, err := Decode(buf)
			if err != nil {
				b.Fatal(err)
			}
			for i := range m.(*StateBlock).Sessions {
				sn := &m.(*StateBlock).Sessions[i]
				if _, err := record.New(own, sn.Key).MergeSnapshot(sn, start); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// Encoding takes no memory but the buffer; decoding takes the message and its lists.
func TestAllocations(t *testing.T) {
	c := oneAttribute(t, 16)
	var m Message = c
	buf := make([]byte, 0, 1<<10)
	if got := testing.AllocsPerRun(100, func() { buf = Append(buf[:0], m) }); got > 1 {
		t.Errorf("Append: %v allocations, want at most 1", got)
	}
	if got := testing.AllocsPerRun(100, func() { _, _ = Decode(buf) }); got > 5 {
		t.Errorf("Decode: %v allocations, want at most 5", got)
	}
}
