package appc

import (
	"context"
	"strings"

	"github.com/appc/spec/discovery"

	"github.com/raket/raket/pkg/image"
)

// Read is what is read of an ACI file before anything is unpacked.
func Read(ctx context.Context, path string, maxBytes int64) (image.Verified, error) {
	a, err := scan(ctx, path, maxBytes)
	if err != nil {
		return image.Verified{}, err
	}
	return a.unresolved()
}

// EndpointsOfPage is what discovery makes of one page.
func EndpointsOfPage(page []byte, app string, labels map[string]string) (eps []discovery.ACIEndpoint) {
	for _, m := range readMeta(page) {
		if ep, ok := expand(m.uri, app, labels); ok && strings.HasPrefix(app, m.prefix) {
			eps = append(eps, ep)
		}
	}
	return eps
}
