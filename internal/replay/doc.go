// Package replay makes the go command build programs in which a bubble of
// testing/synctest is the same run each time.
package replay
