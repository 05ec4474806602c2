package registries

// PullFrom says which pulls an endpoint is for ("pull-from-mirror").
type PullFrom string

// The values of pull-from-mirror.
const (
	All        PullFrom = "all"
	DigestOnly PullFrom = "digest-only"
	TagOnly    PullFrom = "tag-only"
)

// Endpoint is one place to ask for an image.
type Endpoint struct {
	// Registry is host or host:port, Repository the path below it.
	Registry   string
	Repository string
	// Insecure allows plain HTTP and certificates that nobody vouches for.
	Insecure bool
	// Mirror is set for all but the registry's own location, the last.
	Mirror bool
	// For is All but for mirrors that say otherwise.
	For PullFrom
}
