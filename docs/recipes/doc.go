// Package recipes has configurations of load balancers in front of nodes that share
// their sessions, see docs/load-balancers.md. Its tests run them with the real programs,
// which must be installed:
//
//	apt-get install haproxy nginx-light apache2
//	go test -tags recipes ./docs/recipes
package recipes
