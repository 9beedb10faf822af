// Package place gives the nodes under test hosts to run on, and connections to
// them.
//
// With root each host is a network namespace of its own, joined by a bridge
// (package netlab). The generator's sockets are made inside the namespace of the
// node they go to, so that requests stay on its loopback interface and the
// counters of eth0 have the traffic between nodes alone. For runs that cut a
// node off, they are made on one more host instead, and nothing is counted.
//
// Without root all nodes listen on 127.0.0.1, on ports of their own. Bytes between
// nodes are not counted then, and no cable can be cut.
package place
