// Package nio is the transport over TCP, and over UDP for those who ask for it.
package nio
