package image

import (
	"errors"
	"net/url"
	"strings"
)

// parseURL reads the URL of an ACI. One form stands for all spellings of it:
// the host in lower case, without the scheme's own port, the path escaped.
func parseURL(s string) (Ref, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The module's text repeats the URL, which may hold a password.
		return Ref{}, errors.New("bad URL")
	}
	switch {
	case u.Opaque != "" || u.Host == "":
		return Ref{}, errors.New("URL names no host")
	case u.User != nil:
		return Ref{}, errors.New("URL has credentials in it: they belong into a file in auth.d")
	case strings.Contains(s, "#"):
		return Ref{}, errors.New("URL has a fragment")
	case !isHost(u.Host):
		return Ref{}, errors.New("bad host in URL")
	case u.Path == "" || u.Path == "/":
		return Ref{}, errors.New("URL names no file")
	}
	u.Host = strings.ToLower(u.Host)
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	u.Host = strings.TrimSuffix(u.Host, port)
	return Ref{Transport: ACIURL, URL: u.String()}, nil
}
