package harness

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBucketBounds(t *testing.T) {
	last := -1
	for _, ns := range []uint64{0, 1, 63, 64, 65, 127, 128, 1000, 1e6, 1e9, 3600e9} {
		b := bucketOf(ns)
		if b < last {
			t.Errorf("bucketOf(%d) = %d, below that of a smaller value, %d", ns, b, last)
		}
		last = b
		if up := upper(b); up < ns || float64(up) > float64(ns)*(1+1.0/64)+1 {
			t.Errorf("upper(bucketOf(%d)) = %d, want within a 64th above", ns, up)
		}
	}
}

func TestQuantilesAreWithinABucket(t *testing.T) {
	var h histogram
	var all []uint64
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		v := uint64(r.ExpFloat64() * 50000)
		all = append(all, v)
		h.add(v)
	}
	slices.Sort(all)
	var sum [64 * 64]uint64
	h.take(&sum)
	n, q := quantiles(&sum, 0.5, 0.99, 0.999)
	if n != 10000 {
		t.Fatalf("quantiles counted %d values, want 10000", n)
	}
	for i, rank := range []int{5000, 9900, 9990} {
		want := float64(all[rank])
		if got := float64(q[i]); got < want || got > want*1.02+1 {
			t.Errorf("quantile %d = %.0f, want %.0f or up to 2 %% more", i, got, want)
		}
	}
	var empty [64 * 64]uint64
	h.take(&empty)
	if n, q := quantiles(&empty, 0.5); n != 0 || q[0] != 0 {
		t.Errorf("after take: %d values, median %d, want none", n, q[0])
	}
}
