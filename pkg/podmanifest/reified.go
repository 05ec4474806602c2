package podmanifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/appc/spec/schema/types"
)

// Reified returns the manifest as apps are shown it, and its annotations alone
// (appc spec, "Pod Metadata"). A manifest without annotations has an empty list of
// them in both.
func Reified(m *Manifest) (manifest, annotations []byte, err error) {
	shown := *m
	if shown.Annotations == nil {
		shown.Annotations = types.Annotations{}
	}
	if manifest, err = Marshal(&shown); err != nil {
		return nil, nil, err
	}
	annotations, err = json.Marshal(shown.Annotations)
	return manifest, annotations, err
}

// AppAnnotations returns, as JSON, the annotations of an app's image with those of
// the pod manifest on top (appc spec, "App Metadata"). config is the image's: an
// ImageManifest, or the config of an OCI image, whose labels are meant as far as
// their names are appc's.
func AppAnnotations(m *Manifest, app string, config []byte) ([]byte, error) {
	var image struct {
		Annotations []struct{ Name, Value string }
		Config      struct{ Labels map[string]string }
	}
	if err := json.Unmarshal(config, &image); err != nil {
		return nil, fmt.Errorf("image: %w", describe(err))
	}
	notes := types.Annotations{}
	set := func(name, value string) {
		if id, err := types.NewACIdentifier(name); err == nil {
			notes.Set(*id, value)
		}
	}
	for _, a := range image.Annotations {
		set(a.Name, a.Value)
	}
	for _, name := range slices.Sorted(maps.Keys(image.Config.Labels)) {
		set(name, image.Config.Labels[name])
	}
	ra := m.Apps.Get(types.ACName(app))
	if ra == nil {
		return nil, fmt.Errorf("app %q is not in the pod manifest", app)
	}
	for _, a := range ra.Annotations {
		notes.Set(a.Name, a.Value)
	}
	return json.Marshal(notes)
}

// CanName reports whether a manifest can have an annotation of this name. Those of
// systemd's directives, for one, it cannot.
func CanName(name string) bool {
	_, err := types.NewACIdentifier(name)
	return err == nil
}

// ImageID returns the ID of an app's image as the manifest has it.
func ImageID(m *Manifest, app string) string {
	if ra := m.Apps.Get(types.ACName(app)); ra != nil {
		return ra.Image.ID.String()
	}
	return ""
}
