package prepare

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/boundedfile"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podmetadata"
	"github.com/raket/raket/pkg/stageabi"
)

// hostKeyFile, in the data directory, is what the keys of its pods are made of.
const hostKeyFile = "metadata.key"

// wantsMetadata decides whether apps are to have the metadata service: as was said,
// and else where somebody made the pod for an appc executor, which has one.
func (r Request) wantsMetadata(apps []app) (bool, error) {
	able := r.Stage1.Metadata
	if said := r.Pod.Metadata; said != nil {
		if *said && !able {
			return false, fmt.Errorf("the flavour %s has no metadata service, which --mds-register asks for", r.Stage1.Name)
		}
		return *said, nil
	}
	appc := r.Pod.Manifest != ""
	for _, a := range apps {
		appc = appc || a.img.Kind == image.Appc
	}
	return appc && able, nil
}

// writeMetadata lays out what the metadata service answers (pkg/podmetadata).
func (r Request) writeMetadata(pod string, s *stageabi.Sandbox, apps []app, manifest *podmanifest.Manifest) error {
	key, hostKey, err := r.hostKey()
	if err != nil {
		return fmt.Errorf("key of the metadata service: %w", err)
	}
	s.Metadata = &stageabi.Metadata{}
	if confined(apps) && len(r.Pod.Capabilities) == 0 {
		s.Metadata.HostKey = hostKey
	}
	var token [podmetadata.TokenBytes]byte
	_, _ = rand.Read(token[:])
	text, annotations, err := podmanifest.Reified(manifest)
	if err != nil {
		return err
	}
	dir := filepath.Join(pod, stageabi.MetadataDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	files := map[string][]byte{
		podmetadata.TokenFile: []byte(hex.EncodeToString(token[:])),
		podmetadata.KeyFile:   podmetadata.PodKey(key, s.UUID),
		filepath.Join(podmetadata.Pod, podmetadata.Annotations): annotations,
		filepath.Join(podmetadata.Pod, podmetadata.Manifest):    text,
		filepath.Join(podmetadata.Pod, podmetadata.UUID):        []byte(s.UUID),
	}
	for i := range apps {
		if err := apps[i].metadata(manifest, files); err != nil {
			return err
		}
	}
	return writeMetadataFiles(dir, files)
}

// metadata adds what the metadata service answers of the app.
func (a *app) metadata(manifest *podmanifest.Manifest, files map[string][]byte) error {
	at := filepath.Join(podmetadata.Apps, a.name)
	annotations, err := podmanifest.AppAnnotations(manifest, a.name, a.files.config)
	if err != nil {
		return fmt.Errorf("app %s: %w", a.name, err)
	}
	files[filepath.Join(at, podmetadata.Annotations)] = annotations
	files[filepath.Join(at, podmetadata.Image, podmetadata.Manifest)] = a.files.config
	files[filepath.Join(at, podmetadata.Image, podmetadata.ID)] = []byte(podmanifest.ImageID(manifest, a.name))
	return nil
}

// addMetadata is writeMetadata for an app that joins a running pod.
func (a *Addition) addMetadata(p *pod.Pod, m *podmanifest.Manifest) error {
	s, err := p.Sandbox()
	if err != nil || s.Metadata == nil {
		return err
	}
	if s.Metadata.HostKey != "" && !confined([]app{a.app}) {
		return fmt.Errorf("app %s may have capabilities by which it could read the metadata service's key: start the pod with --mds-register=false, or with --capability and what the app may have", a.name)
	}
	text, _, err := podmanifest.Reified(m)
	if err != nil {
		return err
	}
	files := map[string][]byte{filepath.Join(podmetadata.Pod, podmetadata.Manifest): text}
	if err := a.metadata(m, files); err != nil {
		return err
	}
	return writeMetadataFiles(filepath.Join(p.Dir(), stageabi.MetadataDir), files)
}

// RemoveMetadata takes an app out of what the metadata service answers.
func RemoveMetadata(pod, app string) error {
	return os.RemoveAll(filepath.Join(pod, stageabi.MetadataDir, podmetadata.Apps, app))
}

// writeMetadataFiles writes files below dir, each whole or not at all.
func writeMetadataFiles(dir string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(path, content, 0o600, atomicfile.Options{NoSync: true}); err != nil {
			return err
		}
	}
	return nil
}

// hostKey returns the host's key, which the first pod makes, and its path.
func (r Request) hostKey() (key []byte, path string, err error) {
	path = filepath.Join(r.Pods.DataDir(), hostKeyFile)
	key, err = boundedfile.Read(path, podmetadata.KeyBytes)
	if errors.Is(err, fs.ErrNotExist) {
		key = make([]byte, podmetadata.KeyBytes)
		_, _ = rand.Read(key)
		err = atomicfile.Write(path, key, 0o600, atomicfile.Options{Exclusive: true})
		if errors.Is(err, fs.ErrExist) {
			key, err = boundedfile.Read(path, podmetadata.KeyBytes)
		}
	}
	if err == nil && len(key) != podmetadata.KeyBytes {
		err = fmt.Errorf("%s: %d bytes, want %d", path, len(key), podmetadata.KeyBytes)
	}
	return key, path, err
}

// confined reports whether no app of the pod may have capabilities beyond the usual
// ones. Others might reach the pod's init with them, and what that can read.
func confined(apps []app) bool {
	usual := map[string]bool{}
	for _, c := range appspec.DefaultCapabilities() {
		usual[c] = true
	}
	for _, a := range apps {
		for _, set := range [...]string{"CapabilityBoundingSet", "AmbientCapabilities"} {
			if _, said := a.spec.Annotations[appspec.PropertyPrefix+set]; said {
				return false
			}
		}
		if c := a.spec.Process.Capabilities; c == nil || slices.ContainsFunc(c.Bounding, func(name string) bool { return !usual[name] }) {
			return false
		}
	}
	return true
}
