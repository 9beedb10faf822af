// Package system starts the session stores under test and asks their nodes for
// their figures. All of them speak the contract of package web.
package system
