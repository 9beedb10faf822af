// Package leak makes the tests of a package fail if they leave anything behind.
package leak
