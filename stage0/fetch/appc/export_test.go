package appc

import (
	"strings"

	"github.com/appc/spec/discovery"
)

// EndpointsOfPage is what discovery makes of one page.
func EndpointsOfPage(page []byte, app string, labels map[string]string) (eps []discovery.ACIEndpoint) {
	for _, m := range readMeta(page) {
		if ep, ok := expand(m.uri, app, labels); ok && strings.HasPrefix(app, m.prefix) {
			eps = append(eps, ep)
		}
	}
	return eps
}
