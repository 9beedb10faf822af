//go:build replay

package bubble

import _ "unsafe" // for go:linkname

const replays = true

// They are in the runtime, where package replay has put them.

//go:linkname beginChance
func beginChance(seed uint64)

//go:linkname endChance
func endChance() uint64
