// Package stock fills stores with many new sessions as fast as they take them, and then
// takes stock: what a session needs in the memory of each node, and which sessions other
// nodes lack when nothing is on its way any more.
package stock
