package registry

import (
	"io"
	"log"
	"net"
	"net/http/httputil"
	"net/url"
)

// Front answers on l, in plain HTTP, with what the registry behind it answers: it counts what
// is asked, and Before has it fail.
func (p *Process) Front(l net.Listener) (*Server, error) {
	behind, err := url.Parse(p.URL())
	if err != nil {
		return nil, err
	}
	return serve(l, &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(behind) },
		Transport: p.Transport(), ErrorLog: log.New(io.Discard, "", 0), FlushInterval: -1,
	}), nil
}
