package settings

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/membership"
)

const layerWords = "dispatch, tfd, gzip, order, domain"

// layers are the words that a stack may have; later ones are known but not built.
var (
	layers      = []string{"dispatch", "tfd", "gzip", "order", "domain"}
	layersLater = []string{"frag", "encrypt", "zstd", "ping", "2pc", "coord", "views", "total"}
)

func setStack(s *Settings, v string) error {
	s.Stack = nil
	for word := range strings.SplitSeq(v, ",") {
		word = strings.TrimSpace(word)
		switch {
		case word == "" || word == "none":
		case slices.Contains(layers, word):
			s.Stack = append(s.Stack, word)
		case slices.Contains(layersLater, word):
			return fmt.Errorf("layer %q is not built yet", word)
		default:
			return fmt.Errorf("unknown layer %q: want %s", word, layerWords)
		}
	}
	return nil
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
