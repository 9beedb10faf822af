package sessionwire

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/gotribes/tribes/session/internal/record"
)

// Random writes on several nodes that hear of each other by bytes alone: all come to the
// same, also one that joins at the end and is given a block.
func TestOverTheWire(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		var nodes []*record.Session
		for i := range byte(2 + r.IntN(3)) {
			nodes = append(nodes, record.New(site('a'+i, record.Limits{}), key(7)))
		}
		for range 60 {
			s := nodes[r.IntN(len(nodes))]
			writeRandom(t, r, s)
			if r.IntN(3) == 0 {
				tell(t, nodes, s)
			}
		}
		for _, s := range nodes {
			tell(t, nodes, s)
		}
		joined := record.New(site('j', record.Limits{}), key(7))
		block := Append(nil, &StateBlock{Sessions: []record.Snapshot{*nodes[0].Snapshot(start)}})
		if !mergeInto(joined, decode(t, block)) {
			t.Fatal("a snapshot was refused")
		}
		for i, s := range append(nodes, joined) {
			if s.Digest() != nodes[0].Digest() || s.Size() != nodes[0].Size() {
				t.Fatalf("seed %d: node %d has %+v, want %+v", seed, i, s.Snapshot(start), nodes[0].Snapshot(start))
			}
		}
	}
}

func writeRandom(t *testing.T, r *rand.Rand, s *record.Session) {
	name := fmt.Sprint("n", r.IntN(6))
	var err error
	switch r.IntN(9) {
	case 0, 1:
		value := make([]byte, 1000)
		copy(value[r.IntN(900):], fmt.Sprint("part ", r.IntN(1000)))
		err = s.Set(name, value)
	case 2:
		err = s.Set(name, fmt.Append(nil, r.IntN(1000)))
	case 3:
		err = s.SetNumber(name, r.Int64()-1<<62)
	case 4:
		_, err = s.Delete(name)
	case 5:
		if _, err = s.Add(name, r.Int64N(100)-50); err == record.ErrNotNumber {
			err = nil
		}
	case 6:
		err = s.SetID(fmt.Sprint("id", r.IntN(10)))
	case 7:
		err = s.SetTimeout(1e6*1800, start)
	case 8:
		err = s.SetPrincipal(fmt.Append(nil, r.IntN(10)))
	}
	must(t, err)
}

// tell sends what a node has written to all others; one that misses the old value of a
// difference gets a snapshot.
func tell(t *testing.T, nodes []*record.Session, from *record.Session) {
	c := from.Take(start)
	if c == nil {
		return
	}
	b := Append(nil, &Change{*c})
	for _, s := range nodes {
		if s == from {
			continue
		}
		res, err := s.Merge(&decode(t, b).(*Change).Change, start)
		must(t, err)
		if res.Gap {
			t.Fatal("a gap, although all changes come in order")
		}
		if len(res.Missing) > 0 && !mergeInto(s, decode(t, Append(nil, &StateBlock{Sessions: []record.Snapshot{*from.Snapshot(start)}}))) {
			t.Fatal("a snapshot was refused")
		}
	}
}
