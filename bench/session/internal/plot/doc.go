// Package plot draws bars and lines as SVG: panels above each other, each with a scale of
// its own. There are no settings; what is drawn is plain enough to be read in print.
package plot
