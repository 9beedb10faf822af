package config

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/gotribes/tribes/internal/testca"
)

func TestEffectiveSettings(t *testing.T) {
	var out strings.Builder
	status := Run([]string{"-port", "4711", "-static", "10.0.0.1:4000", "-mcast", "1", "-stack", "dispatch,order"}, &out, io.Discard)
	if status != 0 {
		t.Fatalf("exit status %d, want 0", status)
	}
	for _, want := range []string{`-port +4711 +RN_PORT`, `receiver\.Port +4711`, `sender\.Timeouts\.Ack +5s`,
		`mcast\.Address +228\.0\.0\.4`, `static\.Members +.*10\.0\.0\.1:4000`, `Dispatch`, `Order`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("output does not match %q:\n%s", want, out.String())
		}
	}
}

// TestKeysAreNotPrinted prints the settings of a member with TLS.
func TestKeysAreNotPrinted(t *testing.T) {
	ca, err := testca.New()
	if err != nil {
		t.Fatal(err)
	}
	f, err := ca.WriteFiles(t.TempDir(), 2)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if status := Run([]string{"-tls-cert", f.Cert, "-tls-key", f.Key, "-tls-ca", f.CA}, &out, io.Discard); status != 0 {
		t.Fatalf("exit status %d, want 0", status)
	}
	for _, want := range []string{`-tls-key +/.*key\.pem +RN_TLS_KEY`, `receiver\.TLS +\(set\)`, `receiver\.SecurePort +4100`, `sender\.TLS +\(set\)`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("output does not match %q:\n%s", want, out.String())
		}
	}
	if regexp.MustCompile(`PrivateKey|Certificates`).MatchString(out.String()) {
		t.Errorf("output has parts of the TLS configuration:\n%s", out.String())
	}
}

func TestUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"help", []string{"-h"}, 0},
		{"argument", []string{"now"}, 2},
		{"bad value", []string{"-port", "x"}, 2},
	}
	for _, tt := range tests {
		var errs strings.Builder
		if got := Run(tt.args, io.Discard, &errs); got != tt.want || tt.want == 2 && strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%s: exit status %d, want %d; standard error %q", tt.name, got, tt.want, errs.String())
		}
	}
}
