// Package harness measures transports side by side. Each member of a measured
// group is a process of its own, so nothing is shared but the network.
//
// A transport under test is a [Driver]; [Main] turns drivers into a command:
//
//	func main() { os.Exit(harness.Main(os.Args[1:], harness.Bench{...})) }
//
// The command has two sides. Without a subcommand it is the conductor: it
// starts member processes for each column, has them form groups, applies the
// workloads and prints a table with medians and ratios, and JSON if asked. With
// the subcommand member it is one of those processes.
//
// # Member protocol
//
//	member -id I -n N -base PORT [-driver NAME] [-opts k=v,...]
//
// Member I listens on 127.0.0.1, TCP port PORT+I. Events, one JSON object per
// line, on standard output: boot, ready, view (the number of other members
// seen). Commands, one per line, on standard input:
//
//	members                      how many other members are seen
//	start KIND SIZE CALLERS DEST closed loop; DEST is one (the next member) or all
//	mark                         counters, and latencies since the last mark
//	stop                         end the load
//	quit                         exit, as at the end of input
//
// Programs in other languages that speak it can be columns too: see the flag
// -peer.
//
// # Caveats
//
// Members share the machine's processors with each other: figures are ratios
// between columns of one run, not capacities.
package harness
