package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	maxCertBytes = 1 << 20
	maxCertFiles = 256
)

// findCertDir returns the first of a host's certificate directories that is
// there, or "".
func findCertDir(dirs []string, host string) string {
	if host == "" || host == "." || host == ".." || strings.ContainsAny(host, "/\x00") {
		return ""
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, host)
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return path
		}
	}
	return ""
}

// certDir is where to put a host's certificates.
func (e *endpoint) certDir(host string) string {
	if host == e.host {
		host = e.name
	}
	if dir := findCertDir(e.opts.CertDirs, host); dir != "" || len(e.opts.CertDirs) == 0 {
		return dir
	}
	return filepath.Join(e.opts.CertDirs[0], host)
}

// tlsConfig reads a directory of certificates; "" has none. The authorities in
// it are trusted besides the system's (containers-certs.d(5)).
func tlsConfig(dir string, skipVerify bool) (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: skipVerify}
	if dir == "" {
		return conf, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	if len(entries) > maxCertFiles {
		return nil, fmt.Errorf("%s has more than %d files", dir, maxCertFiles)
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		switch filepath.Ext(path) {
		case ".crt":
			if conf.RootCAs == nil {
				if conf.RootCAs, err = x509.SystemCertPool(); err != nil {
					return nil, fmt.Errorf("read the system's certificates: %w", err)
				}
			}
			pem, err := readCert(path)
			if err != nil {
				return nil, err
			}
			if !conf.RootCAs.AppendCertsFromPEM(pem) {
				return nil, &refusal{text: fmt.Sprintf("%s has no certificate in PEM form", path),
					hint: "a CA certificate is NAME.crt, a client's NAME.cert with NAME.key"}
			}
		case ".cert":
			cert, err := clientCert(path, strings.TrimSuffix(path, ".cert")+".key")
			if err != nil {
				return nil, err
			}
			conf.Certificates = append(conf.Certificates, cert)
		case ".key":
			other := strings.TrimSuffix(path, ".key") + ".cert"
			if _, err := os.Stat(other); errors.Is(err, fs.ErrNotExist) {
				return nil, &refusal{text: fmt.Sprintf("%s has no certificate beside it", path), hint: "put it into " + other}
			}
		}
	}
	return conf, nil
}

func clientCert(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := readCert(certFile)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := readCert(keyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, &refusal{text: fmt.Sprintf("%s has no key beside it", certFile), hint: "put it into " + keyFile}
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read %s and its key: %w", certFile, err)
	}
	return pair, nil
}

func readCert(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("read certificate: %s is no regular file", path), err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxCertBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read certificate: %w", err)
	}
	if len(raw) > maxCertBytes {
		return nil, fmt.Errorf("read certificate: %s is larger than 1 MiB", path)
	}
	return raw, nil
}
