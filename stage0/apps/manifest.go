package apps

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/prepare"
)

// nextManifest, in the pod's directory, is its manifest as it will be when the change that is under
// way is done. Where none is, that is done.
const nextManifest = ".new-" + stageabi.ManifestFile

// takeManifest makes the next manifest the pod's.
func (s *session) takeManifest() error {
	err := os.Rename(filepath.Join(s.dir(), nextManifest), filepath.Join(s.dir(), stageabi.ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// dropManifest leaves the pod its manifest, and takes away what has come for another: the volumes
// of the pod that are in none.
func (s *session) dropManifest() error {
	if err := remove(filepath.Join(s.dir(), nextManifest)); err != nil {
		return err
	}
	m, err := prepare.ReadManifest(s.pod)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir(), stageabi.VolumesDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if slices.ContainsFunc(m.Volumes, func(v podmanifest.Volume) bool { return v.Name.String() == e.Name() }) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// pruneManifest takes apps out of the pod's manifest that the pod does not have: it is
// written before the description, for that decides.
func (s *session) pruneManifest() error {
	m, err := prepare.ReadManifest(s.pod)
	if err != nil {
		return err
	}
	n := len(m.Apps)
	for _, ra := range m.Apps {
		if _, ok := s.box.Find(ra.Name.String()); !ok {
			m = prepare.WithoutApp(m, ra.Name.String())
		}
	}
	if len(m.Apps) == n {
		return nil
	}
	return prepare.WriteManifest(filepath.Join(s.dir(), stageabi.ManifestFile), m)
}
