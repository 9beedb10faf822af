// Package floors has no code but a test: that imports inside the module point
// down only. A package may import packages of lower floors, never one of its
// own floor or above.
package floors
