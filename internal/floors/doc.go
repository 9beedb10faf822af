// Package floors has no code but tests. Imports inside the module point down
// only: a package may import packages of lower floors, never one of its own
// floor or above. Files and functions have sizes that can be read.
package floors
