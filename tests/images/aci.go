package images

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"

	"github.com/appc/spec/schema"
	"github.com/appc/spec/schema/types"
)

// ACI is an App Container Image to be written.
type ACI struct {
	// Name is its AC identifier, as "example.com/reloader".
	Name string
	// Version is its version label. Default: none.
	Version string
	// App is how it runs; nil for an image without an app.
	App *types.App
	// Dependencies are images it stands on.
	Dependencies types.Dependencies
	// Annotations are put in the manifest.
	Annotations map[string]string
	// RawManifest is the manifest's text, in place of one made of the above.
	RawManifest string
	// Files are its root file system; Write puts them below rootfs/.
	Files []Entry
	// Uncompressed leaves the gzip away.
	Uncompressed bool
}

// Manifest is the image manifest's JSON.
func (a ACI) Manifest() ([]byte, error) {
	if a.RawManifest != "" {
		return []byte(a.RawManifest), nil
	}
	m := schema.BlankImageManifest()
	id, err := types.NewACIdentifier(a.Name)
	if err != nil {
		return nil, fmt.Errorf("make ACI manifest: %w", err)
	}
	m.Name, m.App, m.Dependencies = *id, a.App, a.Dependencies
	labels := []types.Label{{Name: "os", Value: "linux"}, {Name: "arch", Value: runtime.GOARCH}}
	if a.Version != "" {
		labels = append(labels, types.Label{Name: "version", Value: a.Version})
	}
	m.Labels = labels
	for _, k := range slices.Sorted(maps.Keys(a.Annotations)) {
		m.Annotations.Set(*types.MustACIdentifier(k), a.Annotations[k])
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("make ACI manifest: %w", err)
	}
	return b, nil
}

// Write writes the image to a file (appc spec, aci.md).
func (a ACI) Write(file string) (err error) {
	manifest, err := a.Manifest()
	if err != nil {
		return err
	}
	entries := []Entry{File("manifest", string(manifest), 0o644), Dir("rootfs", 0o755)}
	for _, e := range a.Files {
		e.Name = "rootfs/" + e.Name
		if e.Typeflag == '1' {
			e.Linkname = "rootfs/" + e.Linkname
		}
		entries = append(entries, e)
	}
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("write ACI: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if a.Uncompressed {
		return writeTar(f, entries)
	}
	zw := gzip.NewWriter(f)
	return errors.Join(writeTar(zw, entries), closeZip(zw))
}

func closeZip(c io.Closer) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("write ACI: %w", err)
	}
	return nil
}

// ShellACI is an ACI of busybox whose app, root's, runs a script.
func ShellACI(name, version, script string) ACI {
	return ACI{
		Name: name, Version: version,
		App: &types.App{
			Exec: types.Exec{"/bin/sh", "-c", script}, User: "0", Group: "0",
			Environment: types.Environment{{Name: "PATH", Value: "/usr/bin:/bin"}},
		},
		Files: BusyboxFiles(),
	}
}
