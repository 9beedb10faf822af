//go:build !linux

package mcast

import (
	"context"
	"net"
	"net/netip"
)

// bindGroup binds the group's port on all addresses: not every system can bind a
// multicast address, and these give a socket only what it has joined.
func bindGroup(ctx context.Context, group netip.AddrPort) (*net.UDPConn, error) {
	return bindAny(ctx, group)
}

// setSource leaves the source address to the system.
func setSource(*net.UDPConn, *net.Interface, netip.Addr) error { return nil }
