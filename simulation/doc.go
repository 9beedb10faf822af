// Package simulation has no code but tests. Members with the stacks that users run, all
// but the sockets, on a network in memory and in virtual time, under faults that come at
// random: loss, delay, duplicates, reordering, cuts in one direction and in both,
// partitions, listeners that stall, processes that are stopped for a while, crashes and
// restarts. Then the faults end, and after a bounded time all must be well; what must hold
// meanwhile is in judge_test.go.
//
// A seed decides the faults, the network and what members send. With go test the rest is
// left to chance: the ids of members and messages, and the runtime of Go, which schedules
// goroutines. Package simulation/replay takes that from the seed as well:
//
//	go run ./simulation/replay -run '^TestSimulation$' ./simulation -simulation.seed N
//
// is the same run each time, down to the order of events at the same instant. What fails
// prints this command. With -simulation.trace FILE the events are written down, and the
// hash of them, which is printed with -v, says whether two runs are the same.
package simulation
