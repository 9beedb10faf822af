//go:build interop

package interop

import "os"

// long says that there is time for everything: all lines of Tribes, and every exchange in full.
func long() bool { return os.Getenv("TRIBES_INTEROP") == "full" }

// staticCount is how many messages the layers that change none are tried with.
func staticCount() int {
	if long() {
		return greatCount
	}
	return 1000
}

// longOr are all lines of Tribes if there is time, else v.
func longOr(v version) []version {
	if long() {
		return versions
	}
	return []version{v}
}
