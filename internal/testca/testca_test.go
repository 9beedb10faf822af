package testca

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
)

func TestIssue(t *testing.T) {
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		names       []string
		good, wrong string
	}{
		{nil, "127.0.0.1", "127.0.0.2"},
		{nil, "::1", "localhost"},
		{[]string{"member.example"}, "member.example", "127.0.0.1"},
	}
	for _, tt := range tests {
		issued, err := a.Issue(7, tt.names...)
		if err != nil {
			t.Fatal(err)
		}
		cert, key, err := PEM(issued)
		if err != nil {
			t.Fatal(err)
		}
		read, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(a.PEM()) {
			t.Fatal("the authority's certificate cannot be read")
		}
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			o := x509.VerifyOptions{DNSName: tt.good, Roots: roots, KeyUsages: []x509.ExtKeyUsage{usage}}
			if _, err := read.Leaf.Verify(o); err != nil {
				t.Errorf("%v for %s: %v", tt.names, tt.good, err)
			}
			o.DNSName = tt.wrong
			if _, err := read.Leaf.Verify(o); err == nil {
				t.Errorf("%v is valid for %s", tt.names, tt.wrong)
			}
		}
	}
}
