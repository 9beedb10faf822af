//go:build !replay

package bubble

const replays = false

func seedRuntime(bool, uint64) {}
