//go:build !linux

package mcast

// canBatch: only Linux reads several datagrams with one call.
const canBatch = false
