// Package failure counts what clients see and what is lost when a node is killed, cut
// off or restarted while requests come.
//
// Clients can be their own balancer. A session stays on its node until a request fails
// there or the node's health check (/ready, or /whoami where there is none) does; then
// it goes to the next node and the same write is repeated with the same tag. Or a real
// balancer stands in front, and clients only repeat what has failed.
//
// A request counts as failed if its first attempt failed, whether or not a repetition
// worked. What a request whose answer is missing has done is not known, so that a
// repetition which finds its own tag there is no loss.
package failure
