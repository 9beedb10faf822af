package harness

import (
	"math/bits"
	"sync/atomic"
)

// histogram counts latencies in buckets whose width is a 64th of their value.
// Counting is safe for concurrent use.
type histogram struct {
	buckets [64 * 64]atomic.Uint64
}

const fine = 6 // bits below the leading one that tell buckets apart

func bucketOf(ns uint64) int {
	if ns < 1<<fine {
		return int(ns)
	}
	shift := bits.Len64(ns) - 1 - fine
	return (shift+1)<<fine + int(ns>>shift) - 1<<fine
}

// upper is the largest value of a bucket.
func upper(bucket int) uint64 {
	if bucket < 1<<fine {
		return uint64(bucket)
	}
	shift := bucket>>fine - 1
	return uint64(bucket&(1<<fine-1)+1<<fine+1)<<shift - 1
}

func (h *histogram) add(ns uint64) { h.buckets[bucketOf(ns)].Add(1) }

// take moves the counts of h into sum.
func (h *histogram) take(sum *[64 * 64]uint64) {
	for i := range h.buckets {
		if n := h.buckets[i].Swap(0); n != 0 {
			sum[i] += n
		}
	}
}

// quantiles returns the total and the values below which the parts lie.
func quantiles(sum *[64 * 64]uint64, parts ...float64) (total uint64, values []uint64) {
	for _, n := range sum {
		total += n
	}
	for _, p := range parts {
		values = append(values, quantile(sum, uint64(p*float64(total))))
	}
	return total, values
}

func quantile(sum *[64 * 64]uint64, rank uint64) uint64 {
	var seen uint64
	for i, n := range sum {
		if seen += n; seen > rank {
			return upper(i)
		}
	}
	return 0
}
