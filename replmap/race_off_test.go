//go:build !race

package replmap

const raced = false
