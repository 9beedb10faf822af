package settings

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/interceptor"
	"github.com/gotribes/tribes/membership"
)

const layerWords = "dispatch, tfd, gzip, zstd, order, frag, 2pc, encrypt, coord, views, domain, ping"

// layers are the words that a stack may have.
var layers = strings.Split(layerWords, ", ")

// noTotal is why there is no layer that delivers the messages of all senders in one order.
const noTotal = "one order of the messages of all senders, beyond the end of who gives it, needs views that tell which messages came before them, and those of the layer coord tell nothing of that"

func setStack(s *Settings, v string) error {
	s.Stack = nil
	for word := range strings.SplitSeq(v, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "" || word == "none":
		case slices.Contains(layers, word):
			s.Stack = append(s.Stack, word)
		case word == "total":
			return fmt.Errorf("layer %q is not built yet: %s", word, noTotal)
		default:
			return fmt.Errorf("unknown layer %q: want %s", word, layerWords)
		}
	}
	return nil
}

// setKey reads the key of the layer encrypt. Errors do not show it.
func setKey(s *Settings, v string) error {
	key, err := interceptor.ParseKey(v)
	if err != nil {
		return errors.New("want the hex digits of 16, 24 or 32 bytes")
	}
	s.Key, s.keyed = key, true
	return nil
}

// ciphers are what the layer encrypt may use: with old, in the form without a time stamp
// that older Java nodes have.
var ciphers = map[string]Cipher{
	"gcm":     {Cipher: interceptor.AESGCM},
	"cbc":     {Cipher: interceptor.AESCBC},
	"gcm-old": {Cipher: interceptor.AESGCM, OldForm: true},
	"cbc-old": {Cipher: interceptor.AESCBC, OldForm: true},
}

func setCipher(s *Settings, v string) error {
	c, ok := ciphers[v]
	if !ok {
		return errors.New("want gcm, cbc, gcm-old or cbc-old")
	}
	s.Cipher = c
	return nil
}

// cipherText is the cipher as the setting takes it.
func (s *Settings) cipherText() string {
	for name, c := range ciphers {
		if c == s.Cipher {
			return name
		}
	}
	return ""
}

func setStatic(s *Settings, v string) error {
	s.Static = nil
	for item := range strings.SplitSeq(v, ",") {
		p, err := parsePeer(strings.TrimSpace(item))
		if err != nil {
			return err
		}
		s.Static = append(s.Static, p)
	}
	return nil
}

// parsePeer reads ADDRESS:PORT or ADDRESS:PORT:HEXID; the address may be a host
// name, and one of IPv6 stands in brackets.
func parsePeer(v string) (Peer, error) {
	bad := errors.New("want a list of ADDRESS:PORT[:HEXID]")
	addr, rest := v, ""
	if i := strings.LastIndexByte(v, ':'); i >= 0 && len(v)-i-1 == 2*len(membership.ID{}) {
		addr, rest = v[:i], v[i+1:]
	}
	host, port, err := net.SplitHostPort(addr)
	n, portErr := strconv.Atoi(port)
	if err != nil || portErr != nil || host == "" || n < 1 || n > 65535 {
		return Peer{}, bad
	}
	p := Peer{Addr: addr}
	if rest != "" {
		if p.ID, err = membership.ParseID(rest); err != nil {
			return Peer{}, bad
		}
	}
	return p, nil
}
