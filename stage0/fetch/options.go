package fetch

import (
	"context"
	"net/http"

	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/credentials"
	"github.com/raket/raket/stage0/registries"
	"github.com/raket/raket/stage0/trust/keystore"
	"github.com/raket/raket/stage0/trust/policy"
)

// PullPolicy says when a source is asked for an image.
type PullPolicy string

// The pull policies. A file is read again under New too: that costs no
// network, and files change under their names.
const (
	Never  PullPolicy = "never"  // the store alone
	New    PullPolicy = "new"    // where the store does not have the name
	Update PullPolicy = "update" // always
)

// Options say what to fetch and how.
type Options struct {
	Store *imagestore.Store
	// Name is a reference as image.Parse reads it.
	Name string
	// Signature is the path or URL of an ACI's detached signature; by default
	// it is where the ACI is, with ".asc" at the end.
	Signature string
	// PullPolicy is New by default.
	PullPolicy PullPolicy
	// Platform is "OS/ARCH[/VARIANT]" in Go's words; this machine's by default.
	Platform string
	Insecure Insecure
	Host     Host
	// Progress may be nil. It is not closed.
	Progress *progress.Display
	Limits   layer.Limits
}

// Insecure are the checks to leave out.
type Insecure struct {
	// Image asks for no signature and no policy.
	Image bool
	// TLS accepts any certificate.
	TLS bool
	// HTTP speaks plain HTTP, where HTTPS is not answered. With loopback
	// addresses that is always done.
	HTTP bool
}

// Host is what this machine's configuration says of images. Each part is asked
// for when it is first needed; a nil one says nothing.
type Host struct {
	// Policy is what OCI images are judged by. Nil accepts those that have the
	// digests they should have.
	Policy func() (*policy.Policy, error)
	// Keys are what ACIs are judged by. Nil trusts none.
	Keys *keystore.Store
	// FindKeys brings the keys that the site of an appc name names into Keys.
	// Nil: keys are never looked for.
	FindKeys func(ctx context.Context, name string) error
	// Registries says where to ask for a registry's images.
	Registries func() (*registries.Config, error)
	// Credentials finds what to show a registry.
	Credentials func(ctx context.Context, registry, repository string) (credentials.Credential, error)
	// Authorize puts what a server wants to see into a request for an ACI.
	Authorize func(*http.Request) error
}

// registries is the configuration, or one that says nothing.
func (h Host) registries() (*registries.Config, error) {
	if h.Registries == nil {
		return nil, nil
	}
	return h.Registries()
}
