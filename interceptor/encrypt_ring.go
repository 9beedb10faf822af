package interceptor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// keyring is the keys of an Encrypt at one time; the first is the one to send with.
// It does not change.
type keyring struct {
	keys []*keyState
}

// keyState is one key and how often it was used.
type keyState struct {
	coder
	key         Key
	fingerprint string
	uses        atomic.Uint64 // messages sealed and opened by this process
}

// ErrKeyUsedUp says that a key has encrypted as many messages as is safe with nonces
// that are random: nothing more is sent with it. See [Encrypt.SetKeys].
var ErrKeyUsedUp = errors.New("tribes: encrypt: the key is used up")

// newKeyring checks keys and makes a ring of them; what is in old already keeps its
// count.
func newKeyring(s *encryptSettings, old *keyring, send Key, accept []Key) (*keyring, error) {
	if s.cipher == AESCBC && s.bare && len(accept) > 0 {
		return nil, fmt.Errorf("tribes: encrypt: Accept: %d keys: want none with %s and OldForm, which cannot tell by which key a message was made",
			len(accept), AESCBC)
	}
	r := new(keyring)
	for i, k := range append([]Key{send}, accept...) {
		switch {
		case k.IsZero() && i == 0:
			return nil, errors.New("tribes: encrypt: Key: none given, want one of NewKey or ParseKey")
		case k.IsZero():
			return nil, fmt.Errorf("tribes: encrypt: Accept[%d]: no key", i-1)
		case r.find(k) != nil:
			continue // given twice
		}
		st := old.find(k)
		if st == nil {
			st = &keyState{coder: newCoder(s.cipher, k), key: k, fingerprint: k.Fingerprint()}
		}
		r.keys = append(r.keys, st)
	}
	return r, nil
}

func (r *keyring) find(k Key) *keyState {
	if r == nil {
		return nil
	}
	for _, st := range r.keys {
		if st.key.Equal(k) {
			return st
		}
	}
	return nil
}

// use counts a message of k. It warns twice before there were most, 0 for no limit,
// and returns true when there were more.
func (k *keyState) use(most uint64, log *slog.Logger) (usedUp bool) {
	n := k.uses.Add(1)
	if most == 0 {
		return false
	}
	if n == most/2 || n == most-most/8 {
		log.Warn("an encryption key should be replaced", "key", k.fingerprint, "messages", n, "most", most)
	}
	return n > most
}

// opened is what a message was sealed from.
type opened struct {
	key *keyState
	n   int   // bytes of plaintext, the stamp included
	at  int64 // the stamp; 0 in the old form
}

// open decrypts src to dst with the key that it was made with. A false says no more
// than that there is none.
//
// Where the cipher does not tell whether a key is the right one, a stamp that makes
// sense does: one in 3 million wrong stamps lies within a century of now.
func (r *keyring) open(s *encryptSettings, dst, src []byte, now int64) (opened, bool) {
	for _, k := range r.keys {
		if !k.possible(len(src)) {
			continue
		}
		n, ok := k.open(dst, src)
		if !ok {
			continue
		}
		if s.bare {
			return opened{k, n, 0}, true
		}
		if n < stampSize {
			continue
		}
		at := int64(binary.BigEndian.Uint64(dst))
		if s.cipher != AESGCM && (at < now-century || at > now+century) {
			continue
		}
		return opened{k, n, at}, true
	}
	return opened{}, false
}

const century = 100 * 365 * 24 * 3600 * 1000 // milliseconds
