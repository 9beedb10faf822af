// Package docs has no code but a test: that every test which a document names
// exists.
package docs
