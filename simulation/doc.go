// Package simulation has no code but tests. Members with the stacks that users run, all
// but the sockets, on a network in memory and in virtual time, under faults that come at
// random: loss, delay, duplicates, reordering, cuts in one direction and in both,
// partitions, listeners that stall, processes that are stopped for a while, crashes and
// restarts. Then the faults end, and after a bounded time all must be well; what must hold
// meanwhile is in judge_test.go.
//
// A seed decides the faults, the network and what members send. One that fails is in the
// name of the subtest and in what it prints, and runs alone with
//
//	go test ./simulation -run TestSimulation -simulation.seed N
//
// The scheduler of Go has a part in what happens, so that a failure may need several runs
// of its seed to come again.
package simulation
