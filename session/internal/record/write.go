package record

import (
	"bytes"
	"errors"
	"slices"
	"time"
)

// minDiff is the size from which on it is worth to keep what a value replaces.
const minDiff = 256

// Set sets an attribute to an encoded value, which belongs to the session from now
// on. It replaces whatever the name holds, also a number with all that was added.
// The errors are those of Limits, ErrEmpty, ErrEnded and ErrCounter; with an
// error, nothing has changed.
func (s *Session) Set(name string, value []byte) error {
	if err := checkLimit(ErrValueTooLarge, len(value), s.site.limits.Value); err != nil {
		return err
	}
	return s.put(name, entry{kind: Bytes, value: value, sum: Checksum(value)})
}

// SetNumber sets an attribute to a number. Like [Session.Set] it replaces what was
// there; an Add on another node that does not know of it is replaced too.
func (s *Session) SetNumber(name string, n int64) error {
	return s.put(name, entry{kind: Number, num: &number{start: n}})
}

// put gives the entry of name the content of e and a new version.
func (s *Session) put(name string, e entry) error {
	if err := s.checkName(name); err != nil {
		return err
	}
	i, found := s.find(name)
	grow, exists := entryCost+len(name)+len(e.value), false
	if found {
		grow -= s.entries[i].cost()
		exists = s.entries[i].exists()
	}
	if err := s.checkNames(found); err != nil {
		return err
	}
	if err := s.checkGrowth(grow, !exists); err != nil {
		return err
	}
	v, err := s.write(unsentEntries)
	if err != nil {
		return err
	}
	if !found {
		s.insert(i, name)
	}
	old := &s.entries[i]
	s.keepBase(old, e)
	s.count(old, -1)
	e.name, e.ver, e.unsent = old.name, v, true
	*old = e
	s.count(old, 1)
	return nil
}

// keepBase notes the value that is replaced, if the others may have it and a
// difference could be worth it.
func (s *Session) keepBase(old *entry, now entry) {
	if old.kind != Bytes || now.kind != Bytes || old.unsent || min(len(old.value), len(now.value)) < minDiff {
		return
	}
	r := s.rarely()
	r.bases = append(r.bases, base{old.name, Base{old.ver, old.value}})
}

// Add adds to a number and returns what it is now on this node. No Add is lost: the
// sum that all nodes come to has each in it once, unless a Set or Delete replaced
// the number meanwhile. A name that holds nothing begins as 0. It fails with
// ErrNotNumber if the name holds bytes; otherwise as [Session.Set] does, and with
// ErrTooManyNodes. To add 0 changes nothing.
func (s *Session) Add(name string, delta int64) (int64, error) {
	if err := s.checkName(name); err != nil {
		return 0, err
	}
	if s.hasEnded {
		return 0, ErrEnded
	}
	i, found := s.find(name)
	if found && s.entries[i].kind == Bytes {
		return 0, ErrNotNumber
	}
	if delta == 0 {
		if !found {
			return 0, nil
		}
		return s.entries[i].content().Number, nil
	}
	if err := s.checkAdd(name, i, found); err != nil {
		return 0, err
	}
	v, err := s.write(unsentEntries)
	if err != nil {
		return 0, err
	}
	if !found {
		s.insert(i, name)
	}
	e := &s.entries[i]
	s.raise(e, v.Counter, delta)
	e.unsent = true
	return e.content().Number, nil
}

// checkAdd checks the limits of an Add to the entry at i.
func (s *Session) checkAdd(name string, i int, found bool) error {
	if err := s.checkNames(found); err != nil {
		return err
	}
	if !found {
		return s.checkGrowth(entryCost+shareCost+len(name), true)
	}
	e := &s.entries[i]
	if _, own := e.shareOf(s.site.node); own {
		return nil
	}
	if err := checkLimit(ErrTooManyNodes, len(e.shares())+1, s.site.limits.Nodes); err != nil {
		return err
	}
	return s.checkGrowth(shareCost, !e.exists())
}

// raise adds to the share of the local node.
func (s *Session) raise(e *entry, counter uint64, delta int64) {
	i, found := e.shareOf(s.site.node)
	if found {
		sh := &e.num.shares[i]
		name := e.name.Value()
		s.digest -= hashShare(name, e.ver, *sh)
		sh.Counter, sh.Sum = counter, sh.Sum+delta
		s.digest += hashShare(name, e.ver, *sh)
		return
	}
	s.count(e, -1)
	if e.num == nil {
		e.num = &number{}
	}
	e.num.shares = slices.Insert(e.num.shares, i, Share{s.site.node, counter, delta})
	s.count(e, 1)
}

// shareOf returns where the share of a node is or would be.
func (e *entry) shareOf(n Node) (int, bool) { return findShare(e.shares(), n) }

func findShare(shares []Share, n Node) (int, bool) {
	return slices.BinarySearchFunc(shares, n, func(s Share, n Node) int { return s.Node.Compare(n) })
}

// Delete removes an attribute and reports whether there was one.
func (s *Session) Delete(name string) (bool, error) {
	if s.hasEnded {
		return false, ErrEnded
	}
	i, found := s.find(name)
	if !found || !s.entries[i].exists() {
		return false, nil
	}
	if err := s.put(name, entry{kind: Removed}); err != nil {
		return false, err
	}
	return true, nil
}

// SetID gives the session a new id. The ids before stay known, see [Session.IDs]. The
// current id changes nothing.
func (s *Session) SetID(id string) error {
	switch {
	case id == "":
		return ErrEmpty
	case s.hasEnded:
		return ErrEnded
	case id == s.id.Text:
		return nil
	}
	if err := checkLimit(ErrIDTooLong, len(id), s.site.limits.ID); err != nil {
		return err
	}
	v, err := s.write(unsentID)
	if err != nil {
		return err
	}
	s.addID(ID{v, id})
	return nil
}

// SetPrincipal sets who is logged in; empty is nobody. The bytes belong to the
// session from now on. The errors are those of [Session.Set].
func (s *Session) SetPrincipal(p []byte) error {
	if err := checkLimit(ErrValueTooLarge, len(p), s.site.limits.Value); err != nil {
		return err
	}
	if err := s.checkGrowth(len(p)-len(s.Principal()), false); err != nil {
		return err
	}
	v, err := s.write(unsentPrincipal)
	if err != nil {
		return err
	}
	s.setPrincipal(Principal{v, p})
	return nil
}

// Login is SetPrincipal that counts for [LoginStep] writes if it is somebody else.
func (s *Session) Login(p []byte) error {
	before := s.clock
	if !bytes.Equal(p, s.Principal()) && s.clock < MaxCounter-LoginStep {
		s.clock += LoginStep - 1
	}
	err := s.SetPrincipal(p)
	if err != nil {
		s.clock = before
	}
	return err
}

// SetTimeout sets after how long without access the session expires, and counts as
// an access. It is rounded up to whole milliseconds; not above 0 means never.
func (s *Session) SetTimeout(d, now time.Duration) error {
	v, err := s.write(unsentTimeout)
	if err != nil {
		return err
	}
	s.setTimeout(Timeout{v, wholeMillis(d)})
	s.Touch(now)
	return nil
}

// wholeMillis rounds up; what is not above 0 becomes 0.
func wholeMillis(d time.Duration) time.Duration {
	const longest = Never / time.Millisecond * time.Millisecond
	if d <= 0 {
		return 0
	}
	if d >= longest {
		return longest
	}
	return (d + time.Millisecond - 1) / time.Millisecond * time.Millisecond
}

// End ends the session for all: its content is gone at once, later writes fail with
// ErrEnded, and whatever other nodes write at the same time is lost. It fails with
// ErrEnded if the session has ended already.
func (s *Session) End(reason Reason) error {
	v, err := s.write(unsentEnd)
	if errors.Is(err, ErrCounter) {
		v, err = Version{s.clock, s.site.node}, nil // the last write is always possible
	}
	if err != nil {
		return err
	}
	s.finish(End{v, reason})
	s.unsent = unsentEnd
	return nil
}

// write returns the version of a write to a part, which is now unsent.
func (s *Session) write(part flags) (Version, error) {
	v, err := s.next()
	if err != nil {
		return v, err
	}
	if !s.Pending() {
		s.from = s.seen(v.Node)
	}
	s.unsent |= part
	s.see(Mark{v.Node, v.Counter})
	return v, nil
}

// next returns the next version.
func (s *Session) next() (Version, error) {
	if s.hasEnded {
		return Version{}, ErrEnded
	}
	if s.clock >= MaxCounter {
		return Version{}, ErrCounter
	}
	s.clock++
	return Version{s.clock, s.site.node}, nil
}

func (s *Session) checkName(name string) error {
	if name == "" {
		return ErrEmpty
	}
	return checkLimit(ErrNameTooLong, len(name), s.site.limits.Name)
}

// checkNames checks that there may be one more name, those counted that were removed
// and that others must be told of. So a change is never larger than others take.
func (s *Session) checkNames(found bool) error {
	if found {
		return nil
	}
	l := &s.site.limits
	return checkLimit(ErrTooManyAttributes, len(s.entries)+1, 2*l.Attributes+l.Removed)
}

// checkGrowth checks that the session may grow by some bytes and maybe by an
// attribute. What makes it smaller is always allowed.
func (s *Session) checkGrowth(grow int, attribute bool) error {
	if attribute {
		if err := checkLimit(ErrTooManyAttributes, s.Len()+1, s.site.limits.Attributes); err != nil {
			return err
		}
	}
	if grow <= 0 {
		return nil
	}
	return checkLimit(ErrSessionTooLarge, s.Size()+grow, s.site.limits.Bytes)
}
