// Command sessions is the session example of the README: a web server whose sessions are
// on all its nodes. Start it twice, with other addresses and routes.
package main
