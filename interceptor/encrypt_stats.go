package interceptor

import "sync/atomic"

// EncryptStats says what an [Encrypt] has done.
type EncryptStats struct {
	Sent     uint64 // messages encrypted, each once however many destinations it has
	Received uint64 // messages decrypted and passed up
	Refused  uint64 // messages not sent because the key is used up

	// What was not passed up. Undecryptable messages were made with another key or
	// with none, in the other form, or were changed; the five others were made with
	// a key of ours.
	Undecryptable uint64
	Replayed      uint64 // they came before
	TooOld        uint64 // sealed longer ago than Window
	TooNew        uint64 // sealed further in the future than Window
	Forgotten     uint64 // older than what is remembered of WindowMessages
	// Unmarked messages came to the top of the stack without having passed the
	// layer. There are none unless a layer above makes messages or has an error.
	Unmarked uint64

	Remembered int // messages that the replay window knows now
	// Keys are those in use, the one that is sent with first.
	Keys []KeyStats
	// Skews are members whose clocks differ by more than half of Window, or did, the
	// worst first; at most 64.
	Skews []ClockSkew
}

// KeyStats says how much a key of an [Encrypt] was used.
type KeyStats struct {
	Fingerprint string
	// Messages were encrypted or decrypted with it by this layer.
	Messages uint64
}

type encryptCounts struct {
	sent, received, refused        atomic.Uint64
	undecryptable, unmarked        atomic.Uint64
	replayed, old, news, forgotten atomic.Uint64
}

// Stats returns the counts so far. Each is exact; they are not of one instant.
func (e *Encrypt) Stats() EncryptStats {
	c := &e.counts
	s := EncryptStats{
		Sent:          c.sent.Load(),
		Received:      c.received.Load(),
		Refused:       c.refused.Load(),
		Undecryptable: c.undecryptable.Load(),
		Replayed:      c.replayed.Load(),
		TooOld:        c.old.Load(),
		TooNew:        c.news.Load(),
		Forgotten:     c.forgotten.Load(),
		Unmarked:      c.unmarked.Load(),
		Skews:         e.skews.list(),
	}
	ring := e.ring.Load()
	if ring == nil {
		return s
	}
	s.Remembered = e.window.Load().len()
	for _, k := range ring.keys {
		s.Keys = append(s.Keys, KeyStats{k.fingerprint, k.uses.Load()})
	}
	return s
}
