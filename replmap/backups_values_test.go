package replmap

import (
	"strings"
	"testing"
)

// A value that another member has its primary write goes there, and from there to the other
// holders: the answer does not bring it back.
func TestAnswersHaveNoValues(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := backups(t, 1, nil)
		all := f.start("a", "b", "c", "d")
		holders := names(all[0], "k", all...)
		var writer *node
		for _, x := range all {
			if x.name != holders[0] && x.name != holders[1] {
				writer = x
			}
		}
		const size = 100_000
		bytes := func() (sum uint64) {
			for _, x := range all {
				sum += x.g.Stats().SentBytes
			}
			return sum
		}
		before := bytes()
		v, put, err := writer.PutIfAbsent(t.Context(), "k", strings.Repeat("x", size))
		if !put || err != nil || len(v) != size {
			t.Errorf("PutIfAbsent: %d bytes, %v, %v", len(v), put, err)
		}
		if sent := bytes() - before; sent > 2*size+size/2 {
			t.Errorf("a write of %d bytes by its primary has sent %d, want it sent twice", size, sent)
		}
		checkPlaced(t, 1, all...)
		stopAll(all...)
	})
}
