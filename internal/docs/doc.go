// Package docs has no code but tests: that every test which a document names
// exists, and that everything exported has a doc comment.
package docs
