package registry

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/raket/raket/stage0/registries"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "localhost:5000": true, "127.0.0.1:5000": true, "127.1.2.3": true, "[::1]:5000": true, "[::1]": true,
		"10.0.0.1": false, "192.168.1.1:5000": false, "registry.example": false, "localhost.example": false, "x.localhost": false, "": false,
	} {
		if got := isLoopback(host); got != want {
			t.Errorf("isLoopback(%q) is %v, want %v", host, got, want)
		}
	}
}

func TestARegistryWithoutTLSComesWithAHint(t *testing.T) {
	e, err := newEndpoint(registries.Endpoint{Registry: "lab.example:5000", Repository: "app"}, false, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	got := e.failed("get manifest", &url.Error{Op: "Get", URL: "https://lab.example:5000/v2/app/manifests/1", Err: http.ErrSchemeMismatch})
	if want := "get manifest at registry lab.example:5000: it speaks plain HTTP and no TLS"; got.Error() != want {
		t.Errorf("%q, want %q", got, want)
	}
	var known *Error
	if !errors.As(got, &known) || !strings.Contains(known.Hint(), "--insecure-options=http") {
		t.Errorf("no hint in %#v", got)
	}
}

func TestPlainHTTPIsRefused(t *testing.T) {
	for _, tc := range []struct {
		name, registry, url string
		all, endpoint       bool // what is allowed it
		want                bool
	}{
		{"plain to this machine", "127.0.0.1:1", "http://127.0.0.1:1/v2/", false, false, true},
		{"plain to a private network", "10.0.0.1", "http://10.0.0.1/v2/", false, false, false},
		{"plain to a token server", "hub.example", "http://auth.example/token", false, false, false},
		{"plain where the user said so", "hub.example", "http://10.0.0.1/v2/", true, false, true},
		{"plain to a registry that is configured so", "hub.example:5000", "http://hub.example:5000/v2/", false, true, true},
		{"plain beside it", "hub.example:5000", "http://hub.example/token", false, true, true},
		{"plain where it leads to", "hub.example:5000", "http://auth.example/token", false, true, false},
		{"another machine's registry leading to this one", "hub.example", "http://127.0.0.1:1/admin", false, false, false},
		{"no HTTP", "127.0.0.1:1", "ftp://127.0.0.1:1/", true, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tr := &transports{opts: Options{InsecureHTTP: tc.all}.withDefaults(), host: tc.registry, name: tc.registry, insecure: tc.endpoint}
			req := httptest.NewRequest(http.MethodGet, tc.url, nil)
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // whether it would go out is enough
			resp, err := tr.RoundTrip(req.WithContext(ctx))
			if resp != nil {
				resp.Body.Close()
			}
			var r *refusal
			if got := !errors.As(err, &r); got != tc.want {
				t.Errorf("let through: %v, error %v", got, err)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	f := newFake(t, true)
	f.put("1", []byte("manifest"))
	get := func(t *testing.T, opts Options) error {
		t.Helper()
		_, err := open(t, f.host, opts).Manifest(t.Context(), "")
		return err
	}
	t.Run("of an unknown authority", func(t *testing.T) {
		dir := t.TempDir()
		c := newClock()
		err := get(t, Options{CertDirs: []string{dir}, Retry: c.retry()})
		checkError(t, err, "unknown authority")
		var hinted interface{ Hint() string }
		if want := filepath.Join(dir, f.host, "ca.crt"); !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), want) {
			t.Errorf("no hint that names %s", want)
		}
		if len(c.slept) != 0 {
			t.Error("it was tried again")
		}
	})
	t.Run("of one in certs.d", func(t *testing.T) {
		if err := get(t, Options{CertDirs: append([]string{t.TempDir()}, trust(t, f)...)}); err != nil {
			t.Error(err)
		}
	})
	t.Run("of one in another host's certs.d", func(t *testing.T) {
		dir := trust(t, f)[0]
		checkError(t, get(t, Options{CertDirs: []string{filepath.Join(dir, "other")}}), "unknown authority")
	})
	t.Run("do not matter where the user said so", func(t *testing.T) {
		if err := get(t, Options{InsecureTLS: true}); err != nil {
			t.Error(err)
		}
	})
	t.Run("do not matter where the endpoint is configured so", func(t *testing.T) {
		if err := get(t, Options{Endpoints: []registries.Endpoint{{Registry: f.host, Repository: "app", Insecure: true}}}); err != nil {
			t.Error(err)
		}
	})
	for name, files := range map[string]map[string]string{
		"has no certificate in PEM form":   {"ca.crt": "nonsense"},
		"has no key beside it":             {"client.cert": "x"},
		"has no certificate beside it":     {"client.key": "x"},
		"client.cert and its key":          {"client.cert": "x", "client.key": "y"},
		"larger than 1 MiB":                {"ca.crt": strings.Repeat("x", 2<<20)},
		"unknown authority (nothing said)": {"README": "x"},
	} {
		t.Run("in a directory: "+name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				write(t, filepath.Join(dir, f.host, file), []byte(content))
			}
			want, _, _ := strings.Cut(name, " (")
			checkError(t, get(t, Options{CertDirs: []string{dir}}), want)
		})
	}
	t.Run("directories have the names of hosts", func(t *testing.T) {
		for _, host := range []string{"", ".", "..", "../x", "a/b"} {
			if got := findCertDir([]string{t.TempDir()}, host); got != "" {
				t.Errorf("host %q is %s", host, got)
			}
		}
	})
}

// TestOldTLS: 1.2 is the least.
func TestOldTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = discardLog()
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // that is the point
	srv.StartTLS()
	defer srv.Close()
	_, err := open(t, strings.TrimPrefix(srv.URL, "https://"), Options{InsecureTLS: true}).Manifest(t.Context(), "")
	checkError(t, err, "protocol version")
}

// TestClientCertificates has a registry that wants one.
func TestClientCertificates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{documents: map[string][]byte{}}
	f.Server = httptest.NewUnstartedServer(f)
	f.Config.ErrorLog = discardLog()
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	f.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	f.StartTLS()
	t.Cleanup(f.Close)
	f.host = strings.TrimPrefix(f.URL, "https://")
	f.put("1", []byte("manifest"))
	dirs := trust(t, f)
	_, err = open(t, f.host, Options{CertDirs: dirs}).Manifest(t.Context(), "")
	checkError(t, err, "certificate required")
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), filepath.Join(dirs[0], f.host, "client.cert")) {
		t.Errorf("hint of %v", err)
	}
	write(t, filepath.Join(dirs[0], f.host, "client.cert"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, filepath.Join(dirs[0], f.host, "client.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if _, err := open(t, f.host, Options{CertDirs: dirs}).Manifest(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// TestRedirectsOutOfTLS are refused even on loopback.
func TestRedirectsOutOfTLS(t *testing.T) {
	f, plain := newFake(t, true), newFake(t, false)
	d := f.put("", []byte("x"))
	f.on(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		http.Redirect(w, r, plain.URL+"/x", http.StatusFound)
		return true
	})
	_, err := open(t, f.host, Options{CertDirs: trust(t, f)}).Blob(t.Context(), d)
	checkError(t, err, "a redirect out of TLS")
	if asked := plain.requests(); len(asked) != 0 {
		t.Errorf("asked %q", asked)
	}
}
