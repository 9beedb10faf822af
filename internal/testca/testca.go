// Package testca issues certificates for tests and examples. What it issues is
// valid for an hour, on the loopback addresses unless other names are given.
package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Authority issues certificates.
type Authority struct {
	// Pool has its own certificate.
	Pool *x509.CertPool

	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// New returns an authority that nobody knows yet.
func New() (*Authority, error) {
	c := template(1)
	c.Subject = pkix.Name{CommonName: "test authority"}
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	a := &Authority{Pool: x509.NewCertPool(), cert: c}
	der, key, err := a.sign(c)
	if err != nil {
		return nil, err
	}
	a.key = key
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.Pool.AddCert(a.cert)
	return a, nil
}

// Issue returns a certificate for both sides of connections. It is valid for the
// DNS names, or without any for 127.0.0.1 and ::1.
func (a *Authority) Issue(serial int64, names ...string) (tls.Certificate, error) {
	c := template(serial)
	c.KeyUsage, c.DNSNames = x509.KeyUsageDigitalSignature, names
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if len(names) == 0 {
		c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, key, err := a.sign(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Files are the names of files in PEM.
type Files struct{ Cert, Key, CA string }

// WriteFiles issues a certificate as Issue does and writes it, its key and the
// certificate of the authority into dir.
func (a *Authority) WriteFiles(dir string, serial int64) (Files, error) {
	f := Files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")}
	c, err := a.Issue(serial)
	if err != nil {
		return f, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return f, err
	}
	return f, errors.Join(
		os.WriteFile(f.Cert, block("CERTIFICATE", c.Certificate[0]), 0o600),
		os.WriteFile(f.Key, block("PRIVATE KEY", key), 0o600),
		os.WriteFile(f.CA, block("CERTIFICATE", a.cert.Raw), 0o600))
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func template(serial int64) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
}

// sign makes a key and signs a certificate for it; the first one with its own.
func (a *Authority) sign(c *x509.Certificate) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, signer)
	return der, key, err
}
