// Package command is what the command lines of the benchmarks have in common.
package command
