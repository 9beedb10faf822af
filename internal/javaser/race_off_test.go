//go:build !race

package javaser

// stride is the distance of the bytes that are damaged: every one.
const stride = 1
