package static

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what a DNS server knows. A name that is not in it does not exist; one
// with nothing makes the server fail.
type zone map[string]records

type records struct {
	a    []string
	aaaa []string
	srv  []dnsmessage.SRVResource
}

// serve answers questions about the zone until the test ends, and returns a
// resolver that asks nobody else.
func (z zone) serve(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { // ends when conn is closed
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			answer, err := z.answer(buf[:n])
			if err != nil {
				t.Errorf("DNS question: %v", err)
				continue
			}
			if _, err := conn.WriteTo(answer, from); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z zone) answer(question []byte) ([]byte, error) {
	var p dnsmessage.Parser
	head, err := p.Start(question)
	if err != nil {
		return nil, err
	}
	q, err := p.Question()
	if err != nil {
		return nil, err
	}
	known, exists := z[strings.ToLower(q.Name.String())]
	head.Response, head.Authoritative = true, true
	switch {
	case !exists:
		head.RCode = dnsmessage.RCodeNameError
	case known.a == nil && known.aaaa == nil && known.srv == nil:
		head.RCode = dnsmessage.RCodeServerFailure
	}
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	add := func(body dnsmessage.ResourceBody) {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}, Body: body,
		})
	}
	switch q.Type {
	case dnsmessage.TypeA:
		for _, a := range known.a {
			add(&dnsmessage.AResource{A: netip.MustParseAddr(a).As4()})
		}
	case dnsmessage.TypeAAAA:
		for _, a := range known.aaaa {
			add(&dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(a).As16()})
		}
	case dnsmessage.TypeSRV:
		for _, s := range known.srv {
			add(&s)
		}
	}
	return m.Pack()
}

func srv(host string, port uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Priority: 1, Weight: 1, Port: port, Target: dnsmessage.MustNewName(host)}
}

func TestLookups(t *testing.T) {
	r := zone{
		"members.test.": {a: []string{"10.0.0.1", "10.0.0.2"}, aaaa: []string{"2001:db8::1"}},
		"one.test.":     {a: []string{"10.0.0.3"}},
		"six.test.":     {aaaa: []string{"2001:db8::6"}},
		"broken.test.":  {},
		"_tribes._tcp.cluster.test.": {srv: []dnsmessage.SRVResource{
			srv("one.test.", 4001), srv("members.test.", 4002), srv("gone.test.", 4003), srv("one.test.", 4004),
		}},
		"_tribes._tcp.empty.test.": {srv: []dnsmessage.SRVResource{srv("gone.test.", 4003), srv("broken.test.", 4003)}},
		"plain.test.":              {srv: []dnsmessage.SRVResource{srv("six.test.", 9)}},
	}.serve(t)
	for _, test := range []struct {
		name     string
		resolver Resolver
		want     []string
		fails    bool
	}{
		{"A and AAAA", LookupHost(r, "members.test.", 4000), []string{"10.0.0.1:4000", "10.0.0.2:4000", "[2001:db8::1]:4000"}, false},
		{"A", LookupHost(r, "one.test.", 1), []string{"10.0.0.3:1"}, false},
		{"AAAA", LookupHost(r, "six.test.", 65535), []string{"[2001:db8::6]:65535"}, false},
		{"address", LookupHost(r, "10.9.8.7", 4000), []string{"10.9.8.7:4000"}, false},
		{"mapped address", LookupHost(r, "::ffff:10.9.8.7", 4000), []string{"10.9.8.7:4000"}, false},
		{"no such name", LookupHost(r, "gone.test.", 4000), nil, true},
		{"server fails", LookupHost(r, "broken.test.", 4000), nil, true},
		{"port 0", LookupHost(r, "one.test.", 0), nil, true},
		{"port 65536", LookupHost(r, "one.test.", 65536), nil, true},
		{"SRV, one host gone", LookupSRV(r, "tribes", "tcp", "cluster.test."), []string{
			"10.0.0.1:4002", "10.0.0.2:4002", "10.0.0.3:4001", "10.0.0.3:4004", "[2001:db8::1]:4002"}, false},
		{"SRV, all hosts gone", LookupSRV(r, "tribes", "tcp", "empty.test."), nil, true},
		{"SRV of a name", LookupSRV(r, "", "", "plain.test."), []string{"[2001:db8::6]:9"}, false},
		{"no such SRV", LookupSRV(r, "tribes", "udp", "cluster.test."), nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := test.resolver.Resolve(t.Context())
			var texts []string
			for _, a := range got {
				texts = append(texts, a.String())
			}
			slices.Sort(texts)
			if !slices.Equal(texts, test.want) || (err != nil) != test.fails {
				t.Errorf("Resolve() = %v, %v, want %v and an error: %v", texts, err, test.want, test.fails)
			}
		})
	}
}

func TestLookupHeedsItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := zone{}.serve(t)
	for name, resolver := range map[string]Resolver{
		"host": LookupHost(r, "members.test.", 4000), "SRV": LookupSRV(r, "tribes", "tcp", "cluster.test."),
	} {
		if got, err := resolver.Resolve(ctx); err == nil || len(got) != 0 {
			t.Errorf("%s: Resolve with an ended context = %v, %v, want an error", name, got, err)
		}
	}
}

func TestResolverFunc(t *testing.T) {
	want := errors.New("asked")
	f := ResolverFunc(func(context.Context) ([]netip.AddrPort, error) { return nil, want })
	if _, err := f.Resolve(t.Context()); err != want {
		t.Errorf("Resolve() = %v, want %v", err, want)
	}
}
