package entry

import "github.com/gotribes/tribes/internal/bytediff"

// Many writes of a large value change a few bytes of it. Where the value was made here by the
// table, and nobody else has seen its memory, they are changed where they are: then a write
// costs what is changed. Whatever hands out the value of an item says so (share), and the
// next write makes a copy.

// share notes that the memory of a value is known outside of the table. The caller holds
// b.mu, for reading at least.
func (it *item) share() {
	if it.alone.Load() {
		it.alone.Store(false)
	}
}

// Peek returns the state of a key without its value, gone or not, and whether it is there as
// for Get.
func (t *Table) Peek(key string) (e Entry, there bool) {
	b := t.bucket(key)
	b.mu.RLock()
	defer b.mu.RUnlock()
	it := b.items[key]
	if it == nil {
		return Entry{}, false
	}
	return t.peek(it), t.lives(it)
}

// peek is entry without the value.
func (t *Table) peek(it *item) Entry {
	e := it.Entry
	e.Value, e.Lifetime = nil, t.left(it)
	return e
}

// MergeEdit is Merge of a state with a difference, for those that are merged in place. It
// reports whether this was one; then it was news. The state has no value afterwards.
func (t *Table) MergeEdit(e *Entry) bool {
	edits, ok := t.edits(e)
	if !ok || e.Version.IsZero() || e.Version.Counter > MaxCounter {
		return false
	}
	t.see(e.Version)
	b := t.bucket(e.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[e.Key]
	if it == nil || it.Compare(e) >= 0 || t.cfg.Resolve != nil && !covers(e.Marks, it.Marks) {
		return false
	}
	return t.edit(b, it, *e, edits)
}

// ReplaceEdit is Replace with a difference, for those that are written in place. It reports
// whether this was one, and the condition held. The states that it gives and returns have no
// values; that which is there now has a difference to itself.
func (t *Table) ReplaceEdit(e Entry, condition func(Entry, bool) bool) (now, before Entry, written bool) {
	edits, ok := t.edits(&e)
	if !ok {
		return now, before, false
	}
	b := t.bucket(e.Key)
	b.mu.Lock()
	defer b.mu.Unlock()
	it := b.items[e.Key]
	if it == nil || !t.lives(it) || !e.Diff.IsTo(&it.Entry) {
		return now, before, false
	}
	if before = t.peek(it); !condition(before, true) {
		return now, before, false
	}
	e.Version = Version{Counter: t.clock.Add(1), Node: t.node}
	e.Marks, e.Proxy, e.Placed = nil, false, false
	if t.cfg.Resolve != nil {
		e.Marks = join(before.Marks, []Version{e.Version})
	}
	if !t.edit(b, it, e, edits) {
		return now, before, false
	}
	e.Diff = Same(&e)
	e.Diff.Size = len(it.Value)
	return e, before, true
}

// edits returns what the difference of a state changes, if that can be done in place.
func (t *Table) edits(e *Entry) ([]bytediff.Edit, bool) {
	if e.Diff == nil || len(e.Diff.Steps) == 0 || !t.cfg.Proxies || e.Gone || e.Proxy {
		return nil, false
	}
	return bytediff.Edits(e.Diff.Steps, e.Diff.Size)
}

// edit makes e of an item, if the difference is to the value of that. The caller holds b.mu.
func (t *Table) edit(b *bucket, it *item, e Entry, edits []bytediff.Edit) bool {
	if !e.Diff.IsTo(&it.Entry) || e.Diff.Size != len(it.Value) || t.cfg.Watched != nil && t.cfg.Watched() {
		return false
	}
	crc := it.crc
	if !it.sure {
		crc = checksumsOf(it.Value)
	}
	crc = crc.edited(it.Value, edits)
	if e.Sum != crc.sum(len(it.Value)) {
		return false
	}
	value := it.Value
	if !it.alone.Load() {
		value = append([]byte(nil), value...)
	}
	for _, x := range edits {
		copy(value[x.At:], x.New)
	}
	e.Value, e.Diff, e.crc, e.sure = value, nil, crc, true
	t.set(b, it, &e, false)
	it.alone.Store(true)
	return true
}
