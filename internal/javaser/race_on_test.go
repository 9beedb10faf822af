//go:build race

package javaser

// stride is the distance of the bytes that are damaged. One goroutine decodes, so the
// race detector finds nothing here and makes it ten times slower.
const stride = 7
