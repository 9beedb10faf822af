package system

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gotribes/tribes/bench/session/internal/place"
)

// haproxy is the configuration of the balancer, but for the servers: that of
// docs/recipes with health checks three times as often.
const haproxy = `defaults
    mode http
    timeout connect 300ms
    timeout client 1m
    timeout server 15s
    timeout check 300ms
    retries 2
    retry-on conn-failure
    option redispatch 1

frontend www
    bind %s
    default_backend nodes

backend nodes
    balance roundrobin
    option httpchk GET %s
    http-check expect status 200
    default-server check inter 300ms fall 2 rise 1%s
`

// cutoff ends the requests that are on a server which is found to be down. A node that
// drains is down too, so it is for nodes that fail.
const cutoff = " on-marked-down shutdown-sessions"

// BalancerText says how the balancer is set, in one line.
const BalancerText = "HAProxy, sticky by the end of the id; health checks every 300 ms, down after 2, which ends requests there unless it is a planned restart"

// server is one node: clients come to it by the end of their ids, whatever the name of
// the cookie.
const server = `    use-server %[1]s if { req.cook(sid) -m end .%[1]s } or { req.cook(JSESSIONID) -m end .%[1]s }
    server %[1]s %[2]s
`

// balancerConfig is the file for all hosts, also those on which no node runs yet.
func (s *System) balancerConfig(listen string) string {
	var b strings.Builder
	end := cutoff
	if s.planned {
		end = ""
	}
	fmt.Fprintf(&b, haproxy, listen, s.driver.health(), end)
	for i := range s.nodes {
		fmt.Fprintf(&b, server, nodeName(i), s.listen(i))
	}
	return b.String()
}

// startBalancer returns when the balancer answers for a node.
func (s *System) startBalancer(ctx context.Context) error {
	o := s.others[place.Front]
	folder := s.Column.Name + "-haproxy"
	dir, err := s.place.Folder(folder)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	listen := net.JoinHostPort(s.place.Addr(o.host), strconv.Itoa(s.place.Port(o.host, place.Front)))
	if err := os.WriteFile(file, []byte(s.balancerConfig(listen)), 0o644); err != nil {
		return err
	}
	o.folder, o.args = folder, []string{"haproxy", "-db", "-f", file}
	return s.startOther(ctx, place.Front)
}

// Front connects to the balancer.
func (s *System) Front() func(context.Context) (net.Conn, error) {
	return s.place.Dial(s.others[place.Front].host, place.Front)
}

// MissingBalancer tells why there can be no balancer here, or nil.
func MissingBalancer() error {
	_, err := exec.LookPath("haproxy")
	return err
}
