//go:build interop

package interop

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gotribes/tribes/membership"
	"github.com/gotribes/tribes/replmap"
)

// mapAccess is how often nodes ask whether the others still have the map.
const mapAccess = time.Second

// textCodec is the codec of texts as Java nodes under test take them: a Java string, or a byte[] if it begins with 0x
// and is the hex of it.
type textCodec struct{}

func (textCodec) Name() string { return "text" }

func (textCodec) Append(b []byte, v string) ([]byte, error) {
	digits, isBytes := strings.CutPrefix(v, "0x")
	if !isBytes {
		return replmap.JavaString().Append(b, v)
	}
	p, err := hex.DecodeString(digits)
	if err != nil {
		return b, err
	}
	return replmap.JavaByteKeys().Append(b, string(p))
}

func (textCodec) Decode(b []byte) (string, error) {
	if s, err := replmap.JavaString().Decode(b); err == nil {
		return s, nil
	}
	p, err := replmap.JavaBytes().Decode(b)
	return "0x" + hex.EncodeToString(p), err
}

// maps are the commands for maps, which a Go process takes as a Java node does. mapstart has a fourth argument here,
// the class version of members.
func (o *console) maps(ctx context.Context, re int, words []string) error {
	done := fields{"event": "ok"}
	switch words[0] {
	case "mapstart":
		if err := o.startMap(ctx, words[1:]); err != nil {
			return err
		}
		done = fields{"event": "mapStarted"}
	case "mapput":
		if err := o.shared.Put(ctx, words[1], words[2]); err != nil {
			return err
		}
	case "mapfill":
		if err := o.fill(ctx, words[1:]); err != nil {
			return err
		}
	case "mapget":
		v, _, err := o.shared.Get(ctx, words[1])
		if err != nil {
			return err
		}
		done = fields{"event": "mapValue", "key": words[1], "value": v}
	case "mapremove":
		if _, err := o.shared.Delete(ctx, words[1]); err != nil {
			return err
		}
	case "mapdump":
		done = fields{"event": "map", "entries": o.entries()}
	case "mapdigest":
		done = o.digest()
	case "mapstop":
		if err := o.shared.Close(ctx); err != nil {
			return err
		}
	}
	o.print(re, done)
	return nil
}

// startMap takes NAME full|lazy TIMEOUT CLASS.
func (o *console) startMap(ctx context.Context, words []string) error {
	var class, timeout int64
	if _, err := fmt.Sscan(words[2], &timeout); err != nil {
		return err
	}
	if _, err := fmt.Sscan(words[3], &class); err != nil {
		return err
	}
	m, err := replmap.New(replmap.Config[string, string]{
		Group: o.group, Name: words[0], Keys: textCodec{}, Values: textCodec{},
		Tribes: &replmap.Tribes{Class: class, Access: mapAccess, Timeout: time.Duration(timeout) * time.Millisecond, Lazy: words[1] == "lazy"},
	})
	if err != nil {
		return err
	}
	o.shared = m
	return m.Start(ctx)
}

// fill takes PREFIX COUNT SIZE, and puts as many entries with values of that size.
func (o *console) fill(ctx context.Context, words []string) error {
	var count, size int
	if _, err := fmt.Sscan(words[1], &count); err != nil {
		return err
	}
	if _, err := fmt.Sscan(words[2], &size); err != nil {
		return err
	}
	for i := range count {
		key := fmt.Sprint(words[0], i)
		if err := o.shared.Put(ctx, key, strings.Repeat(key+":", size)[:size]); err != nil {
			return err
		}
	}
	return nil
}

// entries are those of the map as a Java node prints them: value, primary, the others that have it, and what this
// member is for it.
func (o *console) entries() []string {
	held := make(map[string]string)
	for k, v := range o.shared.All() {
		held[k] = v
	}
	var all []string
	for k := range o.shared.Keys() {
		v, here := held[k]
		role := "backup"
		if !here {
			v, role = "-", "proxy"
		}
		primary, backups := "null", "null"
		if holders := o.shared.Holders(k); len(holders) > 0 {
			if here && holders[0].ID() == o.group.Local().ID() {
				role = "primary"
			}
			primary = holders[0].AddrPort().String()
			backups = addrPorts(holders[1:])
		}
		all = append(all, fmt.Sprintf("%s=%s primary=%s backups=%s role=%s", k, v, primary, backups, role))
	}
	return all
}

func addrPorts(all []*membership.Member) string {
	if len(all) == 0 {
		return "null"
	}
	var s []string
	for _, m := range all {
		s = append(s, m.AddrPort().String())
	}
	return strings.Join(s, ";")
}

// digest is the SHA-256 over the sorted entries, as Java nodes make it.
func (o *console) digest() fields {
	held := make(map[string]string)
	for k, v := range o.shared.All() {
		held[k] = v
	}
	var lines []string
	for k := range o.shared.Keys() {
		lines = append(lines, k+"="+held[k]+"\n")
	}
	slices.Sort(lines)
	d := sha256.New()
	for _, s := range lines {
		d.Write([]byte(s))
	}
	return fields{"event": "mapDigest", "count": len(lines), "digest": hex.EncodeToString(d.Sum(nil))}
}
