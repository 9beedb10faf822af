// Command hello is the first example of the README: start it twice.
package main
