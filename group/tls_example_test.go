package group_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"github.com/gotribes/tribes/group"
	"github.com/gotribes/tribes/internal/testca"
	"github.com/gotribes/tribes/membership/static"
	"github.com/gotribes/tribes/transport/nio"
)

// mutualTLS makes every member prove who it is, with a certificate that may be
// replaced while the member runs: each handshake takes the present one.
func mutualTLS(roots *x509.CertPool, present *atomic.Pointer[tls.Certificate]) *tls.Config {
	return &tls.Config{
		RootCAs:    roots, // of those who answer
		ClientCAs:  roots, // of those who call
		ClientAuth: tls.RequireAndVerifyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return present.Load(), nil
		},
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return present.Load(), nil
		},
	}
}

// All messages of the application go over TLS, and the certificate is replaced
// while the members run. Connections keep the certificates that they began with;
// Pool.MaxAge says for how long.
func ExampleWithTLS() {
	ctx := context.Background()
	ca, err := testca.New() // stands for the authority of the installation
	if err != nil {
		log.Fatal(err)
	}
	var present atomic.Pointer[tls.Certificate]
	rotate := func(serial int64) {
		c, err := ca.Issue(serial)
		if err != nil {
			log.Fatal(err)
		}
		present.Store(&c)
	}
	rotate(1)
	join := func(peer string) *group.Group {
		g, err := group.New(
			group.WithBind("127.0.0.1"),
			group.WithReceiver(nio.ReceiverConfig{Port: nio.AnyPort, SecurePort: nio.AnyPort}),
			group.WithSender(nio.SenderConfig{Pool: nio.SenderPool{MaxAge: time.Hour}}),
			group.WithStatic(static.Config{Members: []static.Peer{{Addr: peer}}}),
			group.WithTLS(mutualTLS(ca.Pool, &present)))
		if err != nil {
			log.Fatal(err)
		}
		if err := g.Start(ctx); err != nil {
			log.Fatal(err)
		}
		return g
	}
	a := join("127.0.0.1:1") // where nobody is
	b := join(a.Local().AddrPort().String())
	a.Listen(group.ListenerFunc(func(_ context.Context, m *group.Message) error {
		fmt.Printf("a hears %q, over TLS %v\n", m.Payload(), m.Options.Has(group.Secure))
		return nil
	}))
	if err := b.WaitMembers(ctx, 1); err != nil {
		log.Fatal(err)
	}
	for serial := range int64(2) {
		rotate(2 + serial)
		if _, err := b.SendAll(ctx, []byte("secret"), group.Sync); err != nil {
			log.Fatal(err)
		}
	}
	for _, g := range []*group.Group{b, a} {
		if err := g.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// a hears "secret", over TLS true
	// a hears "secret", over TLS true
}
