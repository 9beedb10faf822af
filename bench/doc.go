// Command bench measures the transports of this module beside plain sockets and
// whatever else speaks its member protocol; see package harness. With the
// subcommand isolate it measures what a sick member costs the others.
package main
