package message

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Options are the option bits of a message. They travel in the frame, unknown
// bits included, with the values that Tribes gives them.
type Options uint32

// The option bits.
const (
	// ByteMessage says that the message is raw bytes. The channel sets it on
	// each message it sends; a message without it comes from a Java node and is
	// a Java object stream.
	ByteMessage Options = 0x0001
	// UseAck makes the sender wait until the receiving node has the message.
	UseAck Options = 0x0002
	// SyncAck, with UseAck, makes the sender wait until the receiving
	// application has processed it.
	SyncAck Options = 0x0004
	// Async hands the message to the Dispatch layer, if the stack has it.
	Async Options = 0x0008
	// Secure sends the message over TLS, to the port that the member announces for
	// that, or not at all. A receiver with TLS sets it in each message that came
	// over TLS and clears it in all others.
	Secure Options = 0x0010
	// UDP sends one datagram to the member's UDP port.
	UDP Options = 0x0020
	// Multicast sends one datagram to the multicast group. Nobody answers it, also with
	// UseAck: its outcome is Written.
	Multicast Options = 0x0040
	// Gzip marks a message that the Gzip layer has compressed.
	Gzip Options = 0x0100

	// Zstd and S2 mark, between members of this product, messages that the Compress
	// layer has compressed (docs/wire.md, Compress). The layer sets and clears them;
	// applications must not use them.
	Zstd Options = 0x1000_0000
	S2   Options = 0x2000_0000

	// NumberedAcks says, between members of this product, that the sender of the
	// frame understands numbered acks (docs/wire.md, Numbered acks). Senders set
	// it, receivers clear it; applications must not use it.
	NumberedAcks Options = 0x4000_0000
)

// Sync is UseAck and SyncAck: the sender waits until the receiving application
// has processed the message.
const Sync = UseAck | SyncAck

var optionWords = []struct {
	word string
	bit  Options
}{
	{"byte", ByteMessage},
	{"use_ack", UseAck},
	{"sync", SyncAck},
	{"async", Async},
	{"secure", Secure},
	{"udp", UDP},
	{"multicast", Multicast},
	{"byte_message", ByteMessage},
	{"synchronized_ack", SyncAck},
	{"asynchronous", Async},
}

// ParseOptions reads options separated by commas or, as String writes them, by
// vertical bars. Each is a word as in the configuration of Tribes (byte,
// byte_message, use_ack, sync, synchronized_ack, async, asynchronous, secure,
// udp, multicast), in any case, or a number of up to 32 bits: decimal, also
// negative as Java writes the highest bit, or hexadecimal with 0x.
func ParseOptions(s string) (Options, error) {
	var o Options
	for word := range strings.SplitSeq(strings.ReplaceAll(s, "|", ","), ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		bits, ok := optionBit(word)
		if !ok {
			bits, ok = optionNumber(word)
		}
		if !ok {
			return 0, fmt.Errorf("tribes: message options %q: %q is neither a known word nor a number of 32 bits", s, word)
		}
		o |= bits
	}
	return o, nil
}

func optionNumber(word string) (Options, bool) {
	if digits, hex := strings.CutPrefix(word, "0x"); hex {
		n, err := strconv.ParseUint(digits, 16, 32)
		return Options(n), err == nil
	}
	n, err := strconv.ParseInt(word, 10, 64)
	return Options(uint32(n)), err == nil && n >= math.MinInt32 && n <= math.MaxUint32
}

func optionBit(word string) (Options, bool) {
	for _, w := range optionWords {
		if w.word == word {
			return w.bit, true
		}
	}
	return 0, false
}

// Has reports whether all of bits are set.
func (o Options) Has(bits Options) bool { return o&bits == bits }

// Acked reports whether the receiver answers the message.
func (o Options) Acked() bool { return o&UseAck != 0 }

// SyncAcked reports whether the receiver answers after processing.
func (o Options) SyncAcked() bool { return o.Has(Sync) }

// String returns words that ParseOptions understands, with what has no word as
// a hexadecimal number, joined by "|".
func (o Options) String() string {
	if o == 0 {
		return "0"
	}
	var words []string
	for _, w := range optionWords {
		if o&w.bit != 0 {
			words = append(words, w.word)
			o &^= w.bit
		}
	}
	if o != 0 {
		words = append(words, fmt.Sprintf("%#x", uint32(o)))
	}
	return strings.Join(words, "|")
}
