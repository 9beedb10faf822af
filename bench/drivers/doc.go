// Package drivers has the transports that the bench command measures: [Tribes],
// which is this module, and [RawTCP], plain sockets as the floor.
package drivers
