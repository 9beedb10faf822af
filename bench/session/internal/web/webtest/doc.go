// Package webtest is a cluster of nodes in this process that speak the contract of
// package web, with faults on demand. Tests use it to prove that what a store
// loses is counted.
package webtest
