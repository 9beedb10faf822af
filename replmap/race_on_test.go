//go:build race

package replmap

const raced = true
