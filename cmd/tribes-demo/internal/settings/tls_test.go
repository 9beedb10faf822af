package settings

import (
	"crypto/tls"
	"io"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/testca"
)

func tlsFiles(t *testing.T) testca.Files {
	t.Helper()
	authority, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	f, err := authority.WriteFiles(t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestTLSFiles(t *testing.T) {
	f := tlsFiles(t)
	cert, key, ca := f.Cert, f.Key, f.CA
	tests := []struct {
		name string
		args []string
		want string // in the error; empty if all is well
	}{
		{"all", []string{"-tls-cert", cert, "-tls-key", key, "-tls-ca", ca, "-tls-only", "1"}, ""},
		{"two of three", []string{"-tls-cert", cert, "-tls-key", key}, "want all of"},
		{"no such file", []string{"-tls-cert", cert + "x", "-tls-key", key, "-tls-ca", ca}, "no such file"},
		{"no such authority", []string{"-tls-cert", cert, "-tls-key", key, "-tls-ca", ca + "x"}, "no such file"},
		{"files mixed up", []string{"-tls-cert", key, "-tls-key", cert, "-tls-ca", ca}, "TLS"},
		{"key for authority", []string{"-tls-cert", cert, "-tls-key", key, "-tls-ca", key}, "no certificate"},
	}
	for _, tt := range tests {
		s, _, err := Parse("x", tt.args, environment(), io.Discard, nil)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want an error that says %q", tt.name, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		c := s.TLS.Config
		if !s.TLS.Only || c == nil || len(c.Certificates) != 1 || c.RootCAs == nil || c.ClientCAs == nil || c.ClientAuth != tls.RequireAndVerifyClientCert {
			t.Errorf("%s: %+v, want a certificate, and an authority for both sides", tt.name, s.TLS)
		}
	}
}

func TestTLSByEnvironment(t *testing.T) {
	f := tlsFiles(t)
	s, _, err := Parse("x", nil, environment("RN_TLS_CERT="+f.Cert, "RN_TLS_KEY="+f.Key, "RN_TLS_CA="+f.CA, "RN_TLS_ONLY=1"), io.Discard, nil)
	if err != nil || s.TLS.Config == nil || !s.TLS.Only {
		t.Errorf("Parse = %v, want TLS", err)
	}
}
