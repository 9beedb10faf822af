// Package netlab builds a network of hosts on one Linux machine and breaks it on
// request, for tests that need a real network. It drives the commands ip, nft and
// tc, and needs root.
//
// Each host is a network namespace with one interface, eth0, its default route,
// so that multicast leaves by it. Its cable ends at a bridge, which has a
// namespace of its own and floods multicast. Nothing is made in the namespace of
// the machine, and names are those of one process: any number of networks can
// coexist, on the same addresses.
//
// Faults of the wire are rules in the forward hook of the bridge. A frame that
// is dropped there is lost on its way, and its sender is told nothing; an output
// rule at the host would make sends fail, which no network does. Address
// resolution is lost like everything else.
//
// The kernels that this was written for have no netem, so there is no delay,
// duplication, reordering or damage here; package transport/mem has them.
package netlab
