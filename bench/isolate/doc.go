// Package isolate measures what one sick member costs the others: the rate of
// acked sends to healthy members while, from callers of their own, messages go
// to a member whose listener sleeps, or to one that has stopped reading.
package isolate
