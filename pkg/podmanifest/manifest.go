package podmanifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/appc/spec/schema"
	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/pkg/appspec"
)

// MaxBytes bounds the manifests that are read and written.
const MaxBytes = 4 << 20

// maxNameBytes leaves room in a unit's name for what surrounds an app's or a
// volume's.
const maxNameBytes = 128

// appc's types, under the names this module calls them by.
type (
	Manifest   = schema.PodManifest
	RuntimeApp = schema.RuntimeApp
	Volume     = types.Volume
	Port       = types.ExposedPort
)

// Annotations of a pod's apps.
const (
	// AnnotationImage is the image's name as it was asked for, which appc's
	// identifiers cannot always hold.
	AnnotationImage = "io.raket/image"
	// AnnotationDigest is the digest of an OCI image's manifest, "sha256:…".
	AnnotationDigest = "io.raket/image-digest"
)

// outline is a manifest with its parts still unread, so that each can be checked
// under its path.
type outline struct {
	ACKind    string            `json:"acKind"`
	ACVersion json.RawMessage   `json:"acVersion"`
	Apps      []json.RawMessage `json:"apps"`
	Volumes   []json.RawMessage `json:"volumes"`
	Isolators json.RawMessage   `json:"isolators"`
	Ports     []json.RawMessage `json:"ports"`
}

// Parse reads a pod manifest and checks it. Errors begin with the JSON path of
// what is wrong.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > MaxBytes {
		return nil, fmt.Errorf("pod manifest of %d bytes, at most %d are read", len(text), MaxBytes)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("pod manifest: is not UTF-8")
	}
	var o outline
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("pod manifest: %w", describe(err))
	}
	if err := checkKeys(text); err != nil {
		return nil, fmt.Errorf("pod manifest: %w", err)
	}
	if o.ACKind != string(schema.PodManifestKind) {
		return nil, fmt.Errorf("pod manifest: acKind: %q, want %s", o.ACKind, schema.PodManifestKind)
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("pod manifest: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("pod manifest: %w", describe(err))
	}
	// appc's types check some of their fields only when they are written.
	if _, err := Marshal(m); err != nil {
		return nil, err
	}
	return m, nil
}

// check reads each part alone, what appc's types would panic on or take too
// long over (isolators without a value, quantities with huge exponents) before
// they see it.
func (o *outline) check() error {
	if isSet(o.Isolators) {
		if err := appspec.CheckIsolators(o.Isolators); err != nil {
			return err
		}
	}
	for i, raw := range o.Apps {
		var app struct {
			App json.RawMessage `json:"app"`
		}
		path := fmt.Sprintf("apps[%d]", i)
		if err := json.Unmarshal(raw, &app); err != nil {
			return fmt.Errorf("%s: %w", path, describe(err))
		}
		if isSet(app.App) {
			if _, err := appspec.FromAppcApp(app.App); err != nil {
				return fmt.Errorf("%s.%w", path, err)
			}
		}
		if err := json.Unmarshal(raw, &RuntimeApp{}); err != nil {
			return fmt.Errorf("%s: %w", path, describe(err))
		}
	}
	for i, raw := range o.Volumes {
		if err := json.Unmarshal(raw, &Volume{}); err != nil {
			return fmt.Errorf("volumes[%d]: %w", i, describe(err))
		}
	}
	for i, raw := range o.Ports {
		if err := json.Unmarshal(raw, &Port{}); err != nil {
			return fmt.Errorf("ports[%d]: %w", i, describe(err))
		}
	}
	return nil
}

// Check says what is wrong with a manifest beyond appc's own rules: what raket
// could not run, or would have to write to places where it means something else.
func Check(m *Manifest) error {
	if m.ACVersion.Major == 0 && m.ACVersion.Minor == 0 && m.ACVersion.Patch == 0 {
		return errors.New("acVersion: is required")
	}
	apps := map[types.ACName]bool{}
	for i, a := range m.Apps {
		path := fmt.Sprintf("apps[%d]", i)
		switch {
		case a.Name.Empty() || len(a.Name) > maxNameBytes:
			return fmt.Errorf("%s.name: want 1 to %d bytes", path, maxNameBytes)
		case apps[a.Name]:
			return fmt.Errorf("%s.name: %q a second time", path, a.Name)
		case a.Image.ID.Empty():
			return fmt.Errorf("%s.image.id: is required", path)
		}
		apps[a.Name] = true
		for j, mnt := range a.Mounts {
			if mnt.Volume.Empty() {
				return fmt.Errorf("%s.mounts[%d].volume: is required", path, j)
			}
			if err := checkTarget(mnt.Path); err != nil {
				return fmt.Errorf("%s.mounts[%d].path: %w", path, j, err)
			}
			if v := mnt.AppVolume; v != nil {
				if err := checkVolume(*v); err != nil {
					return fmt.Errorf("%s.mounts[%d].appVolume: %w", path, j, err)
				}
			}
		}
	}
	for i, v := range m.Volumes {
		if err := checkVolume(v); err != nil {
			return fmt.Errorf("volumes[%d]: %w", i, err)
		}
	}
	for i, p := range m.Ports {
		if p.Name.Empty() {
			return fmt.Errorf("ports[%d].name: is required", i)
		}
		if err := checkPort(p); err != nil {
			return fmt.Errorf("ports[%d]: %w", i, err)
		}
	}
	return nil
}

// Marshal returns the manifest's JSON, indented and with a final newline. The same
// manifest gives the same bytes.
func Marshal(m *Manifest) ([]byte, error) {
	if err := Check(m); err != nil {
		return nil, fmt.Errorf("pod manifest: %w", err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("pod manifest: %w", err)
	}
	if len(text)+1 > MaxBytes {
		return nil, fmt.Errorf("pod manifest of %d bytes, at most %d are read", len(text)+1, MaxBytes)
	}
	return append(text, '\n'), nil
}

func isSet(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && !bytes.Equal(raw, []byte("null"))
}

// describe names the path of what has the wrong type.
func describe(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		return fmt.Errorf("%s: a JSON %s does not belong there", wrong.Field, wrong.Value)
	}
	return err
}
