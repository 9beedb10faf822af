package entry

import (
	"errors"

	"github.com/gotribes/tribes/internal/bytediff"
)

// Diff stands for a value on its way to a replica that has another value of the key.
type Diff struct {
	Base    Version // the version of the state whose value it is a difference to,
	BaseSum uint64  // and the hash of that value
	Size    int     // how many bytes the value has that it makes; its hash is Sum of the Entry
	Steps   []byte  // in the form of package bytediff; none: the value is that of the base
}

// ErrBase is the error of a difference to a value that a replica does not have, or that does
// not make the value which it stands for. The value is to be sent whole.
var ErrBase = errors.New("tribes: replmap: no value of this difference here")

// Difference returns what makes the value of e out of that of another state of its key, whose
// sums are known; nil if that is not worth it, or there are no proxies. It borrows the values.
// The sum of e may follow from that of the other; Digest does nothing then.
func (t *Table) Difference(base, e *Entry) *Diff {
	if base.Version.IsZero() || base.Gone || base.Proxy || e.Gone || e.Proxy || len(e.Value) < t.cfg.MinDiff || !t.cfg.Proxies {
		return nil
	}
	steps, ok := bytediff.Append(nil, base.Value, e.Value, len(e.Value)/2)
	d := &Diff{Base: base.Version, BaseSum: base.Sum, Size: len(e.Value), Steps: steps}
	if !ok || !d.fits(base.Value) {
		return nil
	}
	if edits, ok := bytediff.Edits(steps, len(base.Value)); ok && d.Size == len(base.Value) && base.sure && !e.sure {
		e.crc, e.sure = base.crc.edited(base.Value, edits), true
		e.Sum = e.crc.sum(d.Size)
	}
	return d
}

// Same returns what stands for a value that the other replica has.
func Same(e *Entry) *Diff {
	return &Diff{Base: e.Version, BaseSum: e.Sum, Size: len(e.Value)}
}

// IsTo reports whether d is a difference to the value of a state.
func (d *Diff) IsTo(base *Entry) bool {
	return !base.Gone && !base.Proxy && base.Version == d.Base && base.Sum == d.BaseSum
}

// fits reports whether the value is not longer than the old one and the difference together,
// so that nobody can make much of little.
func (d *Diff) fits(old []byte) bool { return d.Size <= len(old)+len(d.Steps) }

// value makes the value.
func (d *Diff) value(old []byte) ([]byte, error) {
	if len(d.Steps) == 0 {
		return old, nil
	}
	if !d.fits(old) {
		return nil, ErrBase
	}
	return bytediff.Apply(old, d.Steps, d.Size)
}

// Patch gives a state that has a difference the value that it stands for, checked by its
// hash. The error is ErrBase; then the state is as it was.
func (t *Table) Patch(e *Entry) error {
	if e.Diff == nil {
		return nil
	}
	b := t.bucket(e.Key)
	b.mu.RLock()
	var base Entry
	if it := b.items[e.Key]; it != nil {
		it.share()
		base = it.Entry
	}
	b.mu.RUnlock()
	switch {
	case base.Gone || base.Proxy || base.Version.IsZero():
		return ErrBase
	case base.State() == e.State(): // it has come in another way
		e.Value, e.Diff, e.crc, e.sure = base.Value, nil, base.crc, base.sure
	case !e.Diff.IsTo(&base):
		return ErrBase
	default:
		v, err := e.Diff.value(base.Value)
		crc := checksumsOf(v)
		if err != nil || crc.sum(len(v)) != e.Sum {
			return ErrBase
		}
		e.Value, e.Diff, e.crc, e.sure = v, nil, crc, true
	}
	return nil
}

// Fill gives a state that has a difference, or is a proxy, the value of another one if that is
// the value that it stands for. It reports whether e has a value now.
func (e *Entry) Fill(from *Entry) bool {
	if e.Gone || e.Diff == nil && !e.Proxy {
		return !e.Gone
	}
	if from.Gone || from.Proxy || from.Diff != nil || from.Sum != e.Sum {
		return false
	}
	e.Value, e.Proxy, e.Diff, e.crc, e.sure = from.Value, false, nil, from.crc, from.sure
	return true
}
