package filestore

import (
	"encoding/base32"
	"hash/fnv"
	"strings"

	"github.com/gotribes/tribes/session/store"
)

// The parts of the names of sessions' files. The prefix keeps ids such as "con" from being
// the name of a device.
const (
	prefix = "s-"
	suffix = ".session"
)

var bits = base32.HexEncoding.WithPadding(base32.NoPadding)

// fileName is the name of the file of a session. File systems may take upper and lower case
// for the same, so the case is kept apart. It is at most 252 bytes long.
func fileName(id string) string {
	upper := make([]byte, (len(id)+7)/8)
	last := 0
	for i := range len(id) {
		if 'A' <= id[i] && id[i] <= 'Z' {
			upper[i/8] |= 1 << (i % 8)
			last = i/8 + 1
		}
	}
	name := prefix + strings.ToLower(id)
	if last > 0 {
		name += "~" + strings.ToLower(bits.EncodeToString(upper[:last]))
	}
	return name + suffix
}

// idOf is the opposite of fileName. It is false for other names.
func idOf(name string) (id string, ok bool) {
	rest, isOne := strings.CutPrefix(name, prefix)
	if rest, ok = strings.CutSuffix(rest, suffix); !ok || !isOne {
		return "", false
	}
	lower, code, _ := strings.Cut(rest, "~")
	upper, err := bits.DecodeString(strings.ToUpper(code))
	if err != nil || store.CheckID(lower) != nil {
		return "", false
	}
	b := []byte(lower)
	for i, c := range b {
		if 'a' <= c && c <= 'z' && i/8 < len(upper) && upper[i/8]&(1<<(i%8)) != 0 {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b), fileName(string(b)) == name
}

// shardOf is the number of the lock of a session.
func shardOf(id string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	return int(h.Sum32() % shards)
}
