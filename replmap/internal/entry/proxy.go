package entry

// State names one state of a key: what a proxy knows of the value.
type State struct {
	Key     string
	Version Version
	Sum     uint64
}

// State names the state that e is.
func (e *Entry) State() State { return State{Key: e.Key, Version: e.Version, Sum: e.Sum} }

// fill takes from another state, which is equal to it, what it knows and it lacks. The
// caller holds b.mu.
func (t *Table) fill(b *bucket, it *item, e *Entry) {
	it.Placed = it.Placed || e.Placed
	if it.Proxy && !e.Proxy {
		it.Value, it.Proxy, it.crc, it.sure = e.Value, false, e.crc, e.sure
		it.alone.Store(false)
		b.here++
	}
}

// Reconcile merges two states of a key that were written without knowledge of each other.
// A proxy stands for a value that is lost: then the other state stays, with the version of
// the newer and the marks of both.
func (t *Table) Reconcile(a, b *Entry) error {
	older, newer := a, b
	if a.Compare(b) > 0 {
		older, newer = b, a
	}
	var merged Entry
	switch {
	case !older.Proxy && !newer.Proxy:
		merged = *Merge(a, b, t.cfg.Resolve)
	case newer.Proxy && !older.Proxy:
		merged = *older
		merged.Version, merged.Placed = newer.Version, false
	default:
		merged = *newer
	}
	merged.Marks = join(older.Marks, newer.Marks)
	_, err := t.Merge(&merged)
	return err
}

// Place notes that all members that are to have the value of a state have it.
func (t *Table) Place(s State) {
	b := t.bucket(s.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	if it := b.items[s.Key]; it != nil && it.State() == s {
		it.Placed = true
	}
}

// Drop makes a proxy of a state, and reports whether it had the value.
func (t *Table) Drop(s State) bool {
	b := t.bucket(s.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[s.Key]
	if it == nil || it.Gone || it.Proxy || it.State() != s {
		return false
	}
	it.Strip()
	b.here--
	return true
}

// Holds reports whether the value of a state is here.
func (t *Table) Holds(s State) bool {
	b := t.bucket(s.Key)
	b.mu.RLock()
	defer b.mu.RUnlock()
	it := b.items[s.Key]
	return it != nil && !it.Gone && !it.Proxy && it.State() == s
}

// Digest sets the sum of a state that has a value, as the table does.
func (t *Table) Digest(e *Entry) { e.Sum = t.valueSum(e) }

// Here returns how many values are here.
func (t *Table) Here() int {
	n := 0
	for i := range t.buckets {
		b := &t.buckets[i]
		b.mu.RLock()
		n += b.here
		b.mu.RUnlock()
	}
	return n
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
