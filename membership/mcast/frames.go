package mcast

import (
	"hash/maphash"
	"net/netip"

	"github.com/gotribes/tribes/internal/wire"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// frames takes the messages of a datagram: all complete frames that follow each
// other. They are never answered.
func (l *listener) frames(d *datagram) {
	rest := d.b
	for len(rest) > 0 {
		data, size, err := message.Scan(rest, maxDatagram)
		switch {
		case err != nil && len(rest) == len(d.b) && formatReason(err) == reason(wire.BadMagic):
			l.reject(strangeDatagram, d.from)
			return
		case err != nil:
			l.reject(frameReason(err), d.from)
			return
		case data == nil:
			l.reject(badFrame+reason(wire.Truncated), d.from)
			return
		}
		l.frame(rest[:size], data, d.from)
		rest = rest[size:]
	}
}

// frame takes one message. data is what is inside of frame.
func (l *listener) frame(frame, data []byte, from netip.AddrPort) {
	f, err := message.ParseFrame(data)
	if err != nil {
		l.reject(frameReason(err), from)
		return
	}
	k, known := membership.KeyOf(f.Sender)
	if known && k == l.local.Load().Key() {
		l.counts.own.Add(1)
		return
	}
	if !l.delivers() {
		l.reject(messagesOff, from)
		return
	}
	if l.cfg.Messages == FromMembers && known && l.peers[k] == nil {
		l.reject(notMember, from)
		return
	}
	f.Options &^= message.Secure // which nothing is that comes by multicast
	sender, err := l.talkers.sender(k, &f)
	switch {
	case err != nil:
		l.reject(frameReason(err), from)
	case !l.talkers.first(frame):
		l.reject(repeatedMessage, from)
	case !l.inbox.put(l.upper.Pool.FromFrame(&f, sender, nil)):
		l.reject(queueFull, from)
	}
}

const (
	maxTalkers = 256 // senders of messages that are kept decoded
	maxRecent  = 1024
)

// talkers remember what is needed to take messages fast and once: their senders,
// and the hashes of the last frames, since networks can double a datagram. The
// zero talkers are ready.
type talkers struct {
	members map[membership.Key]*membership.Member
	seed    maphash.Seed
	recent  map[uint64]struct{}
	order   [maxRecent]uint64
	n       int // frames seen
}

// sender returns the sender of f, whose key is k.
func (t *talkers) sender(k membership.Key, f *message.Frame) (*membership.Member, error) {
	if m := t.members[k]; m != nil && m.ImageSize() == len(f.Sender) {
		if _, ok := m.Announces(f.Sender); ok {
			return m, nil
		}
	}
	m, err := f.DecodeSender()
	if err != nil {
		return nil, err
	}
	if t.members == nil || len(t.members) >= maxTalkers {
		t.members = make(map[membership.Key]*membership.Member)
	}
	t.members[m.Key()] = m
	return m, nil
}

// first reports whether the bytes of frame were not seen lately.
func (t *talkers) first(frame []byte) bool {
	if t.recent == nil {
		t.recent = make(map[uint64]struct{}, maxRecent)
		t.seed = maphash.MakeSeed()
	}
	h := maphash.Bytes(t.seed, frame)
	if _, seen := t.recent[h]; seen {
		return false
	}
	slot := &t.order[t.n%maxRecent]
	if t.n >= maxRecent {
		delete(t.recent, *slot)
	}
	*slot = h
	t.recent[h] = struct{}{}
	t.n++
	return true
}
