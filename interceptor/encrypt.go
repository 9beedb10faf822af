package interceptor

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/channel"
	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/message"
)

// Encrypt is a layer that encrypts messages with a key that all members share, as
// the EncryptInterceptor of Tribes does (docs/wire.md, Interceptors). All members of
// a group need the layer with the same settings, at the same place in their stacks:
// above TCPFailureDetector, below everything that changes messages.
//
// What did not pass the layer is never delivered to the application: neither what
// comes without encryption from a node that does not have the layer, nor what a
// layer above passes up by mistake. Each message that was decrypted is marked; the
// layer alone can set that mark, and a guard behind the last layer lets nothing
// pass without it. (A layer above that puts one message together from several keeps
// the mark by message.InheritMark.)
//
// # What is protected
//
// The bytes of the message. With AESGCM they can neither be read nor changed nor
// made up without the key, and each is delivered once. Not protected are: its
// length and time; its head, in which anybody on the way can alter the sender, the
// id and the options (an application that must know who wrote a message puts that
// into its bytes); the heartbeats and goodbyes of multicast membership and the probes
// of failure detectors, which are not encrypted and can be forged, so that a stranger
// can announce members and make others seem to leave; and the group from members that
// have the key. (Static membership talks by messages. They are encrypted if it stands
// above, as package group has it; then it is closed to who has no key.)
// group.WithTLS protects connections by certificates instead.
//
// With AESCBC messages have no integrity: who can change them on their way can
// alter what they say, and, if it can be told from outside whether the application
// liked the result, can find out what they said. It is there for groups with
// releases of Tribes that are set up for it. Use AESGCM.
//
// # Sending
//
// One message is encrypted once for all its destinations, one with the option
// Multicast included. It gets 36 bytes longer with AESGCM, 25 to 40 with AESCBC, 8
// less in the old form. Its stamp is the time of encrypting, so that a message may
// wait in queues above the layer for as long as it likes. (Tribes takes the time at
// which it was sent.)
//
// # Receiving
//
// A message that cannot be decrypted, came before, or is out of the window of time
// is dropped, counted and traced. With AESGCM its sender gets the error, if it waits
// for the processing: such a message was Refused. One that has waited for longer than
// Window before it reached the layer, behind a slow listener or while the process was
// stopped, is too old like any other, also if it was acknowledged when it came. With AESCBC the sender is told
// that all is well, as Tribes does with both: the difference would tell who has no
// key whether the padding of what it has made up is right, and that is enough to
// read messages. All reasons for which a message cannot be decrypted are one.
//
// The fields are settings; they are read when the layer is bound. An Encrypt serves
// one channel. Its methods are safe for concurrent use.
type Encrypt struct {
	// Key is what messages are encrypted with (encryptionKey in Tribes). Required.
	Key Key
	// Accept are keys that received messages may be encrypted with as well, to change
	// keys without losing any; see SetKeys.
	Accept []Key
	// Cipher is how; the zero Cipher is AESGCM (encryptionAlgorithm in Tribes).
	Cipher Cipher
	// OldForm is for groups with releases of Tribes before 9.0.119, 10.1.56 and
	// 11.0.23: messages have no stamp. A message that comes again is then noticed
	// among the last WindowMessages, and later it is not. All members must have the
	// same form; nothing tells them apart on the wire.
	OldForm bool
	// Window is by how much the stamp of a message may differ from our clock, in
	// either direction (replayWindowTime in Tribes). Zero means 10 s; the least is
	// 1 ms. The clocks of all members must agree within it, less the time that
	// messages are on their way. A clock that differs by half of it is told of in
	// the log and in Stats.
	Window time.Duration
	// WindowMessages is how many messages are remembered, to notice those that come
	// again (replayWindowMessageCount in Tribes, where it is 8192). When there are
	// more within two Windows, those with the oldest stamps are forgotten, and
	// everything that is as old is dropped: members whose clocks are behind, or whose
	// messages are slower, lose some. So it should be more than what is received in
	// the time by which members may differ. Zero means 65536, which take 5 MiB.
	WindowMessages int
	// MaxMessages is how many messages a key encrypts with AESGCM: its nonces are
	// random, and the more of them there are the likelier it is that two are equal,
	// which would disclose both messages. What this layer sends and receives with
	// a key is counted, from its start; at half of MaxMessages and at seven eighths
	// the log says so, and when it is reached nothing more is sent with that key
	// (ErrKeyUsedUp). Zero means 2^32, the limit that NIST SP 800-38D has for a key.
	// A group that starts again counts again, so that a key should not serve for
	// more than that in all.
	MaxMessages uint64
	// Clock is the wall clock; nil means time.Now.
	Clock func() time.Time

	base
	set    encryptSettings
	above  channel.ReceiveFunc
	mark   message.Mark
	ring   atomic.Pointer[keyring]
	window atomic.Pointer[replayWindow]
	skews  skews
	counts encryptCounts
}

var _ channel.Interceptor = (*Encrypt)(nil)

// The defaults of an Encrypt.
const (
	defaultWindow         = 10 * time.Second
	defaultWindowMessages = 1 << 16
	defaultKeyMessages    = 1 << 32

	stampSize = 8
)

// encryptSettings are the checked settings of an Encrypt, with defaults.
type encryptSettings struct {
	cipher   Cipher
	bare     bool // without a stamp
	window   time.Duration
	messages int
	most     uint64 // 0: no limit
	clock    func() time.Time
}

func (e *Encrypt) settings() (encryptSettings, error) {
	s := encryptSettings{
		cipher:   e.Cipher,
		bare:     e.OldForm,
		window:   cmp.Or(e.Window, defaultWindow),
		messages: cmp.Or(e.WindowMessages, defaultWindowMessages),
		most:     cmp.Or(e.MaxMessages, defaultKeyMessages),
		clock:    e.Clock,
	}
	if s.clock == nil {
		s.clock = time.Now
	}
	if s.cipher != AESGCM {
		s.most = 0
	}
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tribes: encrypt: "+format, args...))
	}
	if int(s.cipher) >= len(cipherNames) {
		bad("Cipher %d: want AESGCM or AESCBC", uint8(s.cipher))
	}
	if s.window < time.Millisecond {
		bad("Window %v: want at least %v", s.window, time.Millisecond)
	}
	if s.messages < 1 {
		bad("WindowMessages %d: want at least 1", s.messages)
	}
	return s, errors.Join(errs...)
}

// BindDown implements channel.Interceptor. The error joins everything that is
// wrong with the settings.
func (e *Encrypt) BindDown(h channel.Host, below channel.Down) (channel.Down, error) {
	set, err := e.settings()
	ring, keyErr := newKeyring(&set, nil, e.Key, e.Accept)
	if err := e.bind("Encrypt", h, below, errors.Join(err, keyErr)); err != nil {
		return below, err
	}
	e.set = set
	e.ring.Store(ring)
	e.newWindow()
	h.OnStart(func(context.Context) error { e.newWindow(); return nil }) // its floor is the time of the start
	h.Guard(e.guard)
	below.Send = e.send
	return below, nil
}

func (e *Encrypt) newWindow() {
	e.window.Store(newReplayWindow(e.set.window.Milliseconds(), e.set.messages, e.now()))
}

// BindUp implements channel.Interceptor.
func (e *Encrypt) BindUp(above channel.Up) channel.Up {
	e.above = above.Receive
	above.Receive = e.receive
	return above
}

// now is the present time in milliseconds.
func (e *Encrypt) now() int64 { return e.set.clock().UnixMilli() }

// SetKeys changes the keys: from its return on messages are encrypted with send, and
// those that come may be encrypted with send or any of accept. It may be called at
// any time; nothing is lost if all members have the new key before the first one
// sends with it:
//
//	SetKeys(old, new)   at each member, one after the other
//	SetKeys(new, old)   at each member, when all have done the first step
//	SetKeys(new)        at each member, when all have done the second step, and a Window later
//
// A key that stays in use keeps its count of messages. With an error nothing has
// changed.
func (e *Encrypt) SetKeys(send Key, accept ...Key) error {
	for {
		old := e.ring.Load()
		if old == nil {
			return errors.New("tribes: encrypt: SetKeys of a layer that is in no channel yet: set Key and Accept")
		}
		ring, err := newKeyring(&e.set, old, send, accept)
		if err != nil {
			return err
		}
		if e.ring.CompareAndSwap(old, ring) {
			e.host.Logger().Info("encryption keys were changed", "key", ring.keys[0].fingerprint, "accepted", len(ring.keys))
			return nil
		}
	}
}

// send is the layer's SendFunc.
func (e *Encrypt) send(ctx context.Context, to []*membership.Member, m *message.Message, r *message.Receipt) error {
	k := e.ring.Load().keys[0]
	if k.use(e.set.most, e.host.Logger()) {
		k.uses.Add(^uint64(0))
		e.counts.refused.Add(1)
		return fmt.Errorf("%w: %s, after %d messages", ErrKeyUsedUp, k.fingerprint, e.set.most)
	}
	e.seal(k, m)
	e.counts.sent.Add(1)
	return e.next(ctx, to, m, r)
}

// seal replaces the payload of m.
func (e *Encrypt) seal(k *keyState, m *message.Message) {
	out := e.host.Pool().Get(e.set.sealedSize(k, m.Len()))
	b := out.Bytes()
	rand.Read(b[:k.iv()]) // never fails
	e.set.seal(k, b, e.now(), m.Payload())
	m.SetPayload(out)
}

func (s *encryptSettings) sealedSize(k *keyState, n int) int {
	if !s.bare {
		n += stampSize
	}
	return k.size(n)
}

// seal fills b, which begins with the iv, with the sealed form of payload.
func (s *encryptSettings) seal(k *keyState, b []byte, now int64, payload []byte) {
	text, n := b[k.iv():], len(payload)
	if !s.bare {
		binary.BigEndian.PutUint64(text, uint64(now))
		text, n = text[stampSize:], n+stampSize
	}
	copy(text, payload)
	k.seal(b, n)
}
