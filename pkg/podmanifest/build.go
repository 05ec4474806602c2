package podmanifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/appc/spec/schema"
	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/pkg/appspec"
)

// Config is what a pod manifest is made from.
type Config struct {
	Apps            []AppConfig
	Volumes         []Volume
	Ports           []Port
	Annotations     map[string]string // names are appc identifiers
	UserAnnotations map[string]string
	UserLabels      map[string]string
}

// AppConfig is one app of a pod.
type AppConfig struct {
	Name string // appc name; see SanitizeName
	// Image is the name the image was asked for by, with or without tag.
	Image string
	// ImageID is an ACI's "sha512-…", or the digest of an OCI image's manifest,
	// "sha256:…". appc knows only the first; the second is kept in an annotation,
	// and the SHA-512 of its text stands as the ID.
	ImageID string
	Labels  map[string]string // the image's: version, os, arch
	// App is an appc app section (JSON) that stands for the image's; may be nil.
	App            []byte
	ReadonlyRootfs bool
	Mounts         []MountFlag
	Annotations    map[string]string
}

// New makes a manifest. Maps are written in the order of their keys.
func New(c Config) (*Manifest, error) {
	m := schema.BlankPodManifest()
	for _, a := range c.Apps {
		app, err := newApp(a)
		if err != nil {
			return nil, fmt.Errorf("app %q: %w", a.Name, err)
		}
		m.Apps = append(m.Apps, *app)
	}
	m.Volumes, m.Ports = c.Volumes, c.Ports
	m.UserAnnotations, m.UserLabels = c.UserAnnotations, c.UserLabels
	var err error
	if m.Annotations, err = annotations(c.Annotations); err != nil {
		return nil, err
	}
	if err := Check(m); err != nil {
		return nil, err
	}
	// appc checks volumes for their names only when it writes them.
	if _, err := json.Marshal(m); err != nil {
		return nil, err
	}
	return m, nil
}

func newApp(c AppConfig) (*RuntimeApp, error) {
	name, err := types.NewACName(c.Name)
	if err != nil {
		return nil, err
	}
	app := &RuntimeApp{Name: *name, ReadOnlyRootFS: c.ReadonlyRootfs}
	notes := maps.Clone(c.Annotations)
	if notes == nil {
		notes = map[string]string{}
	}
	if c.Image != "" {
		notes[AnnotationImage] = c.Image
		app.Image.Name = identifier(c.Image)
	}
	if id, err := types.NewHash(c.ImageID); err == nil {
		app.Image.ID = *id
	} else if strings.HasPrefix(c.ImageID, "sha256:") {
		notes[AnnotationDigest] = c.ImageID
		app.Image.ID = *types.NewHashSHA512([]byte(c.ImageID))
	} else {
		return nil, fmt.Errorf("image ID %q is neither sha512-… nor sha256:…", c.ImageID)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		label, err := types.NewACIdentifier(k)
		if err != nil {
			return nil, fmt.Errorf("label %q: %w", k, err)
		}
		app.Image.Labels = append(app.Image.Labels, types.Label{Name: *label, Value: c.Labels[k]})
	}
	if len(bytes.TrimSpace(c.App)) > 0 {
		if _, err := appspec.FromAppcApp(c.App); err != nil {
			return nil, err
		}
		app.App = &types.App{}
		if err := json.Unmarshal(c.App, app.App); err != nil {
			return nil, fmt.Errorf("app: %w", err)
		}
	}
	for _, f := range c.Mounts {
		volume, err := types.NewACName(f.Volume)
		if err != nil {
			return nil, fmt.Errorf("mount of volume %q: %w", f.Volume, err)
		}
		app.Mounts = append(app.Mounts, schema.Mount{Volume: *volume, Path: f.Target})
	}
	app.Annotations, err = annotations(notes)
	return app, err
}

func annotations(from map[string]string) (types.Annotations, error) {
	var list types.Annotations
	for _, k := range slices.Sorted(maps.Keys(from)) {
		name, err := types.NewACIdentifier(k)
		if err != nil {
			return nil, fmt.Errorf("annotation %q: %w", k, err)
		}
		list = append(list, types.Annotation{Name: *name, Value: from[k]})
	}
	return list, nil
}

// identifier is the image's name as near as an appc identifier comes: without
// transport, tag and digest. Nil if nothing is left.
func identifier(image string) *types.ACIdentifier {
	if i := strings.Index(image, "://"); i >= 0 {
		image = image[i+3:]
	}
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	name, err := types.SanitizeACIdentifier(image)
	if err != nil {
		return nil
	}
	id, err := types.NewACIdentifier(name)
	if err != nil {
		return nil
	}
	return id
}

// SanitizeName makes an app's name of the last part of an image's name, as rkt
// does: "docker://quay.io/coreos/Etcd:v3" is etcd.
func SanitizeName(image string) (string, error) {
	id := identifier(image)
	if id == nil {
		return "", fmt.Errorf("image name %q holds no letter or digit: name the app with --name", image)
	}
	parts := strings.Split(id.String(), "/")
	return types.SanitizeACName(parts[len(parts)-1])
}

// Digest returns what names the app's image: the OCI digest if it has one, else
// the appc ID.
func Digest(app *RuntimeApp) string {
	if d, ok := app.Annotations.Get(AnnotationDigest); ok {
		return d
	}
	return app.Image.ID.String()
}

// Override makes what the manifest says of an app an override of its image: its
// root's read-only flag and annotations. A section app of its own is applied with
// appspec's SetAppc before: see AppSection.
func Override(app *RuntimeApp) appspec.Override {
	o := appspec.Override{Annotations: map[string]string{}}
	if app.ReadOnlyRootFS {
		readonly := true
		o.ReadonlyRootfs = &readonly
	}
	for _, a := range app.Annotations {
		o.Annotations[a.Name.String()] = a.Value
	}
	return o
}

// AppSection returns the JSON of the app section that stands for the image's, or
// nil if there is none.
func AppSection(app *RuntimeApp) ([]byte, error) {
	if app.App == nil {
		return nil, nil
	}
	return json.Marshal(app.App)
}
