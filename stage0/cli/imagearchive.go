package cli

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// archivedImage is one of the images in a file.
type archivedImage struct {
	// Ref is what to fetch.
	Ref string
	// Names are those of registries that the file gives it, as HOST/NAME:TAG.
	Names []string
}

const (
	maxIndexBytes    = 4 << 20
	maxMembers       = 1 << 16
	maxArchiveBytes  = 64 << 30
	refNameKey       = "org.opencontainers.image.ref.name"
	containerdKey    = "io.containerd.image.name" // what docker save and ctr write
	ociLayoutMember  = "oci-layout"
	ociIndexMember   = "index.json"
	dockerListMember = "manifest.json"
)

// readArchive tells by its content what a file is and which images it has. Nothing
// in it is believed but how to ask for them.
func readArchive(name string) ([]archivedImage, error) {
	if strings.Contains(name, ":") {
		return nil, &fault{err: errors.New("a path with a colon can't be told from one with a tag"), hint: "give the file another name, or - and the file as standard input"}
	}
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if fi.IsDir() {
		raw, err := readBounded(filepath.Join(name, ociIndexMember))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("the directory is no OCI image layout: it has no index.json")
		}
		if err != nil {
			return nil, err
		}
		return ociImages(image.OCILayout, name, raw)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	plain, done, err := layer.Plain(f)
	if err != nil {
		return nil, err
	}
	defer done()
	var r io.Reader = plain
	if !layer.IsCompressed(plain) {
		// What is not looked at is not read.
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, err
		}
		r = f
	}
	m, err := scanMembers(r)
	if err != nil {
		return nil, err
	}
	switch {
	case m.oci && m.index != nil:
		return ociImages(image.OCIArchive, name, m.index)
	case m.list != nil:
		return dockerImages(name, m.list)
	case m.oci:
		return nil, errors.New("it has no index.json: an OCI archive that was cut short?")
	case m.aci:
		return []archivedImage{{Ref: "file://" + name}}, nil
	}
	return nil, errors.New("it is neither an OCI archive, nor a docker archive, nor an ACI")
}

// members are what tells archives apart.
type members struct {
	oci, aci    bool
	index, list []byte
}

func scanMembers(r io.Reader) (m members, err error) {
	limited := &io.LimitedReader{R: r, N: maxArchiveBytes}
	if f, ok := r.(*os.File); ok {
		r = f // it seeks past what is skipped
	} else {
		r = limited
	}
	tr := tar.NewReader(r)
	for n := 0; n < maxMembers; n++ {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return m, nil
		}
		if err != nil {
			return m, fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
		switch name := path.Clean("/" + hdr.Name)[1:]; {
		case name == ociLayoutMember:
			m.oci = true
		case name == ociIndexMember:
			m.index, err = readMember(tr)
		case name == dockerListMember:
			m.list, err = readMember(tr)
		case name == "manifest" || name == "rootfs" || strings.HasPrefix(name, "rootfs/"):
			// Nothing else has those, and large ACIs need not be read.
			m.aci = true
			return m, nil
		}
		if err != nil {
			return m, err
		}
		if m.oci && m.index != nil {
			return m, nil
		}
	}
	return m, fmt.Errorf("it has more than %d members", maxMembers)
}

func readMember(r io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxIndexBytes+1))
	if err == nil && len(raw) > maxIndexBytes {
		err = fmt.Errorf("its list of images is larger than %d MiB", maxIndexBytes>>20)
	}
	return raw, err
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	raw, err := readMember(f)
	return raw, errors.Join(err, f.Close())
}

func ociImages(transport image.Transport, name string, index []byte) ([]archivedImage, error) {
	var doc struct {
		Manifests []struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(index, &doc); err != nil {
		return nil, fmt.Errorf("parse index.json: %w", err)
	}
	var found []archivedImage
	for _, m := range doc.Manifests {
		tag := m.Annotations[refNameKey]
		img := archivedImage{Ref: string(transport) + ":" + name}
		if len(doc.Manifests) > 1 {
			if tag == "" {
				return nil, errors.New("it has several images, and one without a name")
			}
			img.Ref += ":" + tag
		}
		for _, given := range []string{m.Annotations[containerdKey], tag} {
			if full, ok := registryName(given); ok {
				img.Names = append(img.Names, full)
				break
			}
		}
		found = append(found, img)
	}
	if len(found) == 0 {
		return nil, errors.New("it holds no image")
	}
	return found, nil
}

func dockerImages(name string, list []byte) ([]archivedImage, error) {
	var doc []struct{ RepoTags []string }
	if err := json.Unmarshal(list, &doc); err != nil {
		return nil, fmt.Errorf("parse manifest.json: %w", err)
	}
	var found []archivedImage
	for _, m := range doc {
		img := archivedImage{Ref: string(image.DockerArchive) + ":" + name}
		if len(doc) > 1 {
			if len(m.RepoTags) == 0 {
				return nil, errors.New("it has several images, and one without a name")
			}
			img.Ref += ":" + m.RepoTags[0]
		}
		for _, tag := range m.RepoTags {
			// Docker's own names stand for those of its registry.
			if ref, err := image.Parse("docker://" + tag); err == nil && ref.Digest == "" {
				img.Names = append(img.Names, strings.TrimPrefix(ref.String(), "docker://"))
			}
		}
		found = append(found, img)
	}
	if len(found) == 0 {
		return nil, errors.New("it holds no image")
	}
	return found, nil
}

// registryName reports a name with a host and a tag in it. A mere tag, which is what
// most tools write into layouts, is none.
func registryName(name string) (string, bool) {
	host, _, ok := strings.Cut(name, "/")
	if !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return "", false
	}
	ref, err := image.Parse("docker://" + name)
	if err != nil || ref.Digest != "" || ref.String() != "docker://"+name {
		return "", false
	}
	return name, true
}
