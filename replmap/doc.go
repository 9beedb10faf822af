// Package replmap is a map that the members of a group share.
package replmap
