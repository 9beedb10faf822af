package settings

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS are the settings of secure connections.
type TLS struct {
	Cert, Key, CA string // files, PEM
	Port          int
	Only          bool

	// Config is what the files come to, nil without them: a certificate for both
	// sides of connections, and the authority that must have signed those of others.
	Config *tls.Config
}

// load reads the files.
func (t *TLS) load() error {
	given := 0
	for _, file := range []string{t.Cert, t.Key, t.CA} {
		if file != "" {
			given++
		}
	}
	switch {
	case given == 0 && t.Only:
		return errors.New("-tls-only: want -tls-cert, -tls-key and -tls-ca with it")
	case given == 0:
		return nil
	case given < 3:
		return errors.New("TLS: want all of -tls-cert, -tls-key and -tls-ca")
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return fmt.Errorf("TLS: %w", err)
	}
	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM(pem) {
		return fmt.Errorf("TLS: %s: no certificate in it", t.CA)
	}
	t.Config = &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: authorities,
		ClientCAs: authorities, ClientAuth: tls.RequireAndVerifyClientCert}
	return nil
}
