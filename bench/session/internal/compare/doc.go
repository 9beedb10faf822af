// Package compare measures session stores side by side: all of them run at the same
// time, and each workload goes to one after another, as often as asked. What counts is
// the median.
package compare
