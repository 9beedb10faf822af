//go:build !replay

package bubble

const replays = false

func beginChance(uint64) {}

func endChance() uint64 { return 0 }
