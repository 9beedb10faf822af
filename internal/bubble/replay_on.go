//go:build replay

package bubble

import _ "unsafe" // for go:linkname

const replays = true

// seedRuntime is in the runtime, where package replay has put it.
//
//go:linkname seedRuntime
func seedRuntime(on bool, seed uint64)
