package testca

import (
	"crypto/tls"
	"crypto/x509"
	"os"
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
		leaf, err := x509.ParseCertificate(issued.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
			o := x509.VerifyOptions{DNSName: tt.good, Roots: a.Pool, KeyUsages: []x509.ExtKeyUsage{usage}}
			if _, err := leaf.Verify(o); err != nil {
				t.Errorf("%v for %s: %v", tt.names, tt.good, err)
			}
			o.DNSName = tt.wrong
			if _, err := leaf.Verify(o); err == nil {
				t.Errorf("%v is valid for %s", tt.names, tt.wrong)
			}
		}
	}
}

func TestWriteFiles(t *testing.T) {
	a, err := New()
	if err != nil {
		t.Fatal(err)
	}
	f, err := a.WriteFiles(t.TempDir(), 7)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(f.CA)
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("the authority's certificate cannot be read: %v", err)
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{DNSName: "127.0.0.1", Roots: roots}); err != nil {
		t.Error(err)
	}
}
