//go:build !race

package message

import (
	"testing"

	"github.com/gotribes/tribes/membership"
)

// hotPath is something that happens often.
type hotPath struct {
	name string
	f    func()
}

func allocateNothing(t *testing.T, paths []hotPath) {
	t.Helper()
	for _, p := range paths {
		if got := testing.AllocsPerRun(200, p.f); got != 0 {
			t.Errorf("%s allocates %v times, want 0", p.name, got)
		}
	}
}

// What happens for every message must not allocate once the pools are warm.
func TestHotPathsAllocateNothing(t *testing.T) {
	var p Pool
	m := sized(t, &p, 1000)
	defer m.Release()
	chunk := p.Get(FrameSize(m))
	defer chunk.Release()
	AppendFrame(chunk.Bytes()[:0], m, 0)
	out := make([]byte, 0, 4096)

	allocateNothing(t, []hotPath{
		{"a frame in and out", func() {
			data, _, err := Scan(chunk.Bytes(), 0)
			if err != nil {
				t.Fatal(err)
			}
			f, err := ParseFrame(data)
			if err != nil || !m.Source.Is(f.Sender) {
				t.Fatal(err)
			}
			in := p.FromFrame(&f, m.Source, chunk)
			out = AppendFrame(out[:0], in, NumberedAcks)
			in.Release()
		}},
		{"a frame copied out of a chunk", func() {
			data, _, _ := Scan(chunk.Bytes(), 0)
			f, err := ParseFrame(data)
			if err != nil {
				t.Fatal(err)
			}
			p.FromFrame(&f, m.Source, nil).Release()
		}},
		{"a message with a trailer", func() {
			n := p.New(1000)
			n.Extend(4)
			n.Trim(4)
			n.Release()
		}},
		{"Copy", func() { m.Copy().Release() }},
		{"Part", func() { m.Part(10, 20).Release() }},
		{"a message that moves", func() {
			part := m.Part(10, 20)
			part.Extend(4)
			part.Release()
		}},
		{"NewID", func() { NewID() }},
	})
}

// The same of what happens for every answer.
func TestAnswersAllocateNothing(t *testing.T) {
	to := []*membership.Member{newMember(t, 1, nil), newMember(t, 2, nil), newMember(t, 3, nil)}
	r := NewReceipt(len(to), nil)
	r.SettleAll(to, Acknowledged, nil)
	<-r.Done()
	out := make([]byte, 0, 4096)
	reply := Reply{Settled: make([]Settled, 0, 2)}
	settled := []Settled{{Number: 5, Outcome: Acknowledged}, {Number: 7, Outcome: Acknowledged}}
	allocateNothing(t, []hotPath{
		{"a receipt", func() {
			r.Reset(len(to), nil)
			r.SettleAll(to, Acknowledged, nil)
			<-r.Done()
			if !r.OK() {
				t.Fatal("not OK")
			}
		}},
		{"a receipt in parts", func() {
			r.Reset(len(to), nil)
			r.Add(len(to))
			r.SettleAll(to, Acknowledged, nil)
			r.SettleAll(to, Acknowledged, nil)
			<-r.Done()
		}},
		{"a plain ack", func() {
			data, _, _ := Scan(out[:copy(out[:cap(out)], AckFrame)], 0)
			if err := ParseReply(data, &reply); err != nil {
				t.Fatal(err)
			}
		}},
		{"a numbered ack", func() {
			out = AppendNumberedAck(out[:0], 0, 4, settled)
			data, _, _ := Scan(out, 0)
			if err := ParseReply(data, &reply); err != nil {
				t.Fatal(err)
			}
		}},
	})
}
