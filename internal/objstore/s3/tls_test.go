package s3

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/radtier/radtier/internal/objstore"
	"github.com/radtier/radtier/internal/objstore/storetest"
)

func TestConformanceOverTLS(t *testing.T) {
	cert, ca := certificate(t)
	o := bucketOn(t, versitygw(t)) // it takes aws-chunked bodies with trailers
	o.Endpoint, o.CAFile = newFront(t, o.Endpoint, cert).url, ca
	conform(t, o, storetest.Options{})
}

// Ceph 16 refuses the SDK's trailers; the strict server's suite goes over TLS too.
func TestPutsOverTLSWithoutTrailers(t *testing.T) {
	cert, ca := certificate(t)
	o := bucketOn(t, rgw(t))
	o.Endpoint, o.CAFile, o.PartBytes = newFront(t, o.Endpoint, cert).url, ca, minPartBytes
	s := mustOpen(t, o)
	for _, tt := range sizes {
		if _, err := put(t, s, tt.name, tt.size, tt.announced); err != nil {
			t.Errorf("%s: Put: %v", tt.name, err)
		}
		wantPattern(t, s, tt.name, tt.size)
	}
}

func TestAuthorities(t *testing.T) {
	cert, ca := certificate(t)
	o := bucketOn(t, rgw(t))
	plain := o.Endpoint
	o.Endpoint = newFront(t, plain, cert).url

	var config *ConfigError
	if _, err := Open(t.Context(), o); !errors.As(err, &config) || !strings.Contains(err.Error(), "authority") || objstore.IsTransient(err) {
		t.Errorf("Open without the authority: got %v, want a *ConfigError that says what to do", err)
	}
	p, err := Check(t.Context(), o)
	if err != nil || len(p.refused()) != 1 || !strings.Contains(p.refused()[0].Do, "PEM") {
		t.Errorf("Check without the authority: got %v, %v, want one refusal that says what to do", p.Findings, err)
	}
	o.CAFile = ca
	mustOpen(t, o)

	// The SDK's own variable works as well, alone and beside CAFile.
	t.Setenv("AWS_CA_BUNDLE", ca)
	mustOpen(t, o)
	o.CAFile = ""
	mustOpen(t, o)

	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "none.pem")} {
		o.CAFile = file
		if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), "CA bundle") {
			t.Errorf("Open with the CA bundle %s: got %v, want an error that names it", filepath.Base(file), err)
		}
	}
	t.Setenv("AWS_CA_BUNDLE", "")
	o.CAFile, o.Endpoint = ca, strings.Replace(plain, "http:", "https:", 1)
	if _, err := Open(t.Context(), o); !errors.As(err, &config) || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("Open with TLS where there is none: got %v, want a *ConfigError that says so", err)
	}
}
