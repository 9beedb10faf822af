// Package prefix is about the keys of applications that share a server: each has a prefix of
// its own in front of the ids of its sessions.
package prefix

import (
	"fmt"
	"strings"
)

// Check says what is wrong with a prefix of up to most bytes that may have letters, digits and
// signs. Its end is ':', which no id has, so that no prefix and id are those of another
// application.
func Check(p string, most int, signs string) error {
	if p == "" || len(p) > most || !strings.HasSuffix(p, ":") || strings.ContainsFunc(p, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(signs, c)
	}) {
		return fmt.Errorf("prefix %q: want 1 to %d letters, digits and %q with ':' at the end", p, most, signs)
	}
	return nil
}
