// Package failure counts what clients see and what is lost when a node is killed, cut
// off or restarted while requests come at a steady rate.
//
// The clients are their own balancer. A session stays on its node until a request fails
// there or the node's health check (/ready, or /whoami where there is none) does; then
// it goes to the next node and the same write is repeated with the same tag. A request
// counts as failed if its first attempt failed, whether or not the repetition worked.
package failure
