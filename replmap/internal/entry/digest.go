package entry

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/gotribes/tribes/internal/digest"
)

// Buckets is how many buckets a table has. The top byte of the hash of a key says in which
// it is, on every replica.
const Buckets = 256

// Bucket returns the bucket of a key.
func Bucket(key string) int { return int(digest.New().String(key).End() >> 56) }

// Digest is a key and the hash of its state.
type Digest struct {
	Key     string
	Version Version
	Sum     uint64
}

// sum is the hash of a state that is not gone: of key, version and value. Where there are
// proxies, the hash of the value alone stands for the value. It is part of the protocol.
func (e *Entry) sum(proxies bool) uint64 {
	h := digest.New().String(e.Key).Uint64(e.Version.Counter).Bytes(e.Version.Node[:])
	if proxies {
		return h.Uint64(e.Sum).End()
	}
	return addValue(h, len(e.Value), checksumsOf(e.Value)).End()
}

// valueSum is the hash of a value, by which proxies know it; 0 for all values where there are none.
func (t *Table) valueSum(e *Entry) uint64 {
	if !t.cfg.Proxies || e.Gone {
		return 0
	}
	if !e.sure {
		e.crc, e.sure = checksumsOf(e.Value), true
		e.Sum = e.crc.sum(len(e.Value))
	}
	return e.Sum
}

// ValueSum is the hash of a value.
func ValueSum(v []byte) uint64 { return checksumsOf(v).sum(len(v)) }

func (c checksums) sum(size int) uint64 { return addValue(digest.New(), size, c).End() }

// addValue adds a value by its length and two checksums, which processors have instructions
// for: values are long, and each is hashed on each member.
func addValue(h digest.Hash, size int, c checksums) digest.Hash {
	return h.Uint64(uint64(size)).Uint64(uint64(c.castagnoli)<<32 | uint64(c.ieee))
}

// Weight is what a member weighs for a key: of the members of a map the heaviest is the
// key's primary. It is part of the protocol.
func Weight(key string, node [16]byte) uint64 {
	return digest.New().String(key).Bytes(node[:]).End()
}

// Heaviest returns the place of the member that weighs most for a key, of one at least.
func Heaviest(key string, nodes [][16]byte) int {
	best, most := 0, uint64(0)
	for i, n := range nodes {
		w := Weight(key, n)
		if i == 0 || w > most || w == most && bytes.Compare(n[:], nodes[best][:]) > 0 {
			best, most = i, w
		}
	}
	return best
}

// Ranked returns the places of the members in the order of what they weigh for a key, the
// heaviest first.
func Ranked(key string, nodes [][16]byte) []int {
	type ranked struct {
		at     int
		weight uint64
	}
	all := make([]ranked, len(nodes))
	for i, n := range nodes {
		all[i] = ranked{i, Weight(key, n)}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		if c := cmp.Compare(b.weight, a.weight); c != 0 {
			return c
		}
		return bytes.Compare(nodes[b.at][:], nodes[a.at][:])
	})
	order := make([]int, len(all))
	for i, r := range all {
		order[i] = r.at
	}
	return order
}

// Sums returns the sum of the hashes of each bucket, modulo 2^64, and how many entries
// there are.
func (t *Table) Sums() (sums [Buckets]uint64, n int) {
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.RLock()
		sums[i] = b.sum
		n += b.live
		b.mu.RUnlock()
	}
	return sums, n
}

// Digests lists what a bucket has, without what is gone, in order of keys.
func (t *Table) Digests(bucket int) []Digest {
	b := &t.buckets[bucket]
	b.mu.RLock()
	all := make([]Digest, 0, b.live)
	for _, it := range b.items {
		if !it.Gone {
			all = append(all, Digest{Key: it.Key, Version: it.Version, Sum: it.hash})
		}
	}
	b.mu.RUnlock()
	slices.SortFunc(all, func(a, b Digest) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// Diff compares a bucket with that of another replica. want are keys that it has and this
// one lacks or has otherwise; have are those that this one has, or has seen go, and the
// other is to know of.
func (t *Table) Diff(bucket int, theirs []Digest) (want, have []string) {
	there := make(map[string]bool, len(theirs))
	b := &t.buckets[bucket]
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, d := range theirs {
		there[d.Key] = true
		it := b.items[d.Key]
		switch {
		case it != nil && t.cfg.Resolve != nil && it.hash != d.Sum: // each may have what the other lacks
			want, have = append(want, d.Key), append(have, d.Key)
		case it == nil || it.Gone && it.Version.Compare(d.Version) < 0:
			want = append(want, d.Key)
		case it.Gone:
			have = append(have, d.Key)
		case it.hash != d.Sum:
			want, have = append(want, d.Key), append(have, d.Key)
		}
	}
	for key, it := range b.items {
		if !it.Gone && !there[key] {
			have = append(have, key)
		}
	}
	slices.Sort(have)
	return want, have
}
