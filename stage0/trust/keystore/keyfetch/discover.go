package keyfetch

import (
	"context"
	"fmt"
	"net/url"
	"sync"

	"github.com/appc/spec/discovery"
)

// library guards discovery.Client, through which that library speaks: it belongs
// to the whole process, and has neither limits nor a context of its own.
var library sync.Mutex

// maxKeys of one page is far above what anybody has.
const maxKeys = 16

// Discover asks the web for the keys of an appc name, as example.com/app, and returns
// their URLs, at least one. Pages of the names above it are asked too, until one
// has keys. Nothing says yet that the URLs are good for anything: FetchKey looks.
func (c *Client) Discover(ctx context.Context, name string) ([]string, error) {
	app, err := discovery.NewAppFromString(name)
	if err != nil {
		return nil, fmt.Errorf("discover keys of %q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	insecure := discovery.InsecureNone
	if c.AllowHTTP {
		insecure = discovery.InsecureHTTP
	}
	library.Lock()
	before := *discovery.Client
	discovery.Client.Transport = c.transport(ctx, maxPageBytes)
	discovery.Client.CheckRedirect = c.redirection
	found, attempts, err := discovery.DiscoverPublicKeys(*app, nil, insecure, c.Port)
	*discovery.Client = before
	library.Unlock()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("discover keys of %q: %w", name, context.Cause(ctx))
	}
	if err != nil || len(found) == 0 {
		if len(attempts) > 0 {
			return nil, fmt.Errorf("discover keys of %q: no page has any; of %s: %w", name, attempts[0].Prefix, attempts[0].Error)
		}
		return nil, fmt.Errorf("discover keys of %q: no page has any", name)
	}
	if len(found) > maxKeys {
		return nil, fmt.Errorf("discover keys of %q: the page names %d, more than %d", name, len(found), maxKeys)
	}
	for _, at := range found {
		u, err := url.Parse(at)
		if err == nil {
			err = c.allowed(u)
		}
		if err != nil {
			return nil, fmt.Errorf("discover keys of %q: %w", name, err)
		}
	}
	return found, nil
}
