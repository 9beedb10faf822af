package interceptor

import (
	"sync"

	"github.com/gotribes/tribes/membership"
)

// allowance bounds what a layer keeps of what others send: bytes in all, and
// bytes and entries of each sender.
type allowance struct {
	total, each int64 // bytes
	entries     int   // of each sender

	mu      sync.Mutex
	used    int64
	holding int // entries of all
	shares  map[membership.Key]share
}

// share is what one sender uses up.
type share struct {
	bytes   int64
	entries int
}

// take uses up bytes and entries of a sender; it returns false, and uses up
// nothing, if that is more than is allowed. Negative numbers are always taken.
func (a *allowance) take(k membership.Key, bytes int64, entries int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.shares[k]
	if bytes > 0 && (a.used > a.total-bytes || s.bytes > a.each-bytes) || entries > 0 && s.entries > a.entries-entries {
		return false
	}
	a.used += bytes
	a.holding += entries
	s.bytes += bytes
	s.entries += entries
	switch {
	case s == share{}:
		delete(a.shares, k)
	case a.shares == nil:
		a.shares = map[membership.Key]share{k: s}
	default:
		a.shares[k] = s
	}
	return true
}

// give takes back what take has used up.
func (a *allowance) give(k membership.Key, bytes int64, entries int) { a.take(k, -bytes, -entries) }

// use returns what is used up.
func (a *allowance) use() (bytes, entries int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return int(a.used), a.holding
}
