// Package proc runs the processes under measurement: each in a process group of its own,
// so that an interrupt at the terminal reaches only the program that measures, which then
// ends them; and none survives that program where the system can see to it.
package proc
