package stageabi

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Stage1ManifestFile is, in the directory of a stage1 image, its appc
// ImageManifest; the executables are in "rootfs" beside it.
const Stage1ManifestFile = "manifest"

// ReadStage1 reads the manifest of the stage1 image in dir.
func ReadStage1(name, dir string) (Stage1, error) {
	var m struct {
		ACKind      string `json:"acKind"`
		Annotations []struct{ Name, Value string }
	}
	s := Stage1{Name: name, Dir: dir, Entrypoints: map[Entrypoint]string{}}
	path := filepath.Join(dir, Stage1ManifestFile)
	if err := readJSON(path, &m); err != nil {
		return s, fmt.Errorf("read stage1 image: %w", err)
	}
	if m.ACKind != "ImageManifest" {
		return s, fmt.Errorf("read stage1 image: %s: acKind is %q, not ImageManifest", path, m.ACKind)
	}
	version := ""
	for _, a := range m.Annotations {
		key, ok := strings.CutPrefix(a.Name, AnnotationPrefix)
		switch {
		case !ok:
		case key == "interface-version":
			version = a.Value
		case key == "metadata":
			s.Metadata = a.Value == "yes"
		case key == "network":
			s.Network = a.Value
		case key == "requires":
			s.Requires = strings.Fields(a.Value)
		case !filepath.IsLocal(strings.TrimPrefix(a.Value, "/")):
			return s, fmt.Errorf("read stage1 image: %s: entrypoint %s: %q leads out of the image", path, key, a.Value)
		default:
			s.Entrypoints[Entrypoint(key)] = strings.TrimPrefix(a.Value, "/")
		}
	}
	if version != Version {
		return s, fmt.Errorf("read stage1 image: %s: contract version %q; this raket speaks %q", path, version, Version)
	}
	if s.Entrypoints[Run] == "" {
		return s, fmt.Errorf("read stage1 image: %s: no annotation %s", path, AnnotationPrefix+string(Run))
	}
	return s, nil
}
