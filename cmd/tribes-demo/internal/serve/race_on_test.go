//go:build race

package serve

const raced = true
