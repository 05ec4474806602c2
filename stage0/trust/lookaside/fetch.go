package lookaside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	// MaxSignatureBytes bounds a signature; the usual has under 2 KiB.
	MaxSignatureBytes = 128 << 10
	// maxSignatures are fetched for one digest.
	maxSignatures = 32
	maxRedirects  = 5
	timeout       = 30 * time.Second
)

// Signature is a file of a lookaside. Nothing of it is verified.
type Signature struct {
	// Where is its URL, for messages.
	Where string
	Raw   []byte
}

// Fetch has the signatures of a manifest, which are numbered without gaps. What
// goes wrong on the way does not hide those before it: both may be returned.
// A client of nil is one with sensible timeouts.
func (l Location) Fetch(ctx context.Context, client *http.Client, d digest.Digest) ([]Signature, error) {
	if client == nil {
		client = newClient()
	}
	var found []Signature
	for n := 1; n <= maxSignatures; n++ {
		u := l.url
		u.Path += "@" + d.Algorithm().String() + "=" + d.Encoded() + "/signature-" + strconv.Itoa(n)
		var raw []byte
		var err error
		if u.Scheme == "file" {
			raw, err = readSignature(u.Path)
		} else {
			raw, err = get(ctx, client, &u)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return found, nil
		}
		where := l.String() + "@…/signature-" + strconv.Itoa(n)
		if err != nil {
			return found, fmt.Errorf("read %s: %w", where, err)
		}
		found = append(found, Signature{where, raw})
	}
	return found, nil
}

// readSignature opens without waiting, for a FIFO, and reads regular files only.
func readSignature(path string) (raw []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, syscall.ENOTDIR) {
			return nil, fs.ErrNotExist
		}
		return nil, plain(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	switch info, err := f.Stat(); {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	}
	return bounded(f)
}

// plain leaves the path out, which stands in the message already.
func plain(err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		return perr.Err
	}
	return err
}

func newClient() *http.Client {
	return &http.Client{Timeout: timeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) > maxRedirects:
			return fmt.Errorf("more than %d redirects", maxRedirects)
		case r.URL.Scheme != "https" && via[0].URL.Scheme == "https":
			return errors.New("redirected from https to http")
		}
		return nil
	}}
}

func get(ctx context.Context, client *http.Client, u *url.URL) (raw []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		var uerr *url.Error
		if errors.As(err, &uerr) {
			err = uerr.Err // the URL stands in the message already
		}
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusGone:
		return nil, fs.ErrNotExist
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("answered %d", resp.StatusCode)
	case strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
		return nil, fs.ErrNotExist // a page that says so, with a wrong status
	}
	return bounded(resp.Body)
}

func bounded(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, MaxSignatureBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxSignatureBytes {
		return nil, fmt.Errorf("larger than %d KiB", MaxSignatureBytes>>10)
	}
	return raw, nil
}
