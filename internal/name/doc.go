// Package name says in logs whose code a callback is.
package name
