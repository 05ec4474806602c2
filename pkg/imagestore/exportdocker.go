package imagestore

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
)

// maxPlainBytes is the most that a layer may unpack to by default.
const maxPlainBytes = 64 << 30

// docker writes the form of docker save: config and uncompressed layers by their
// digests, and manifest.json.
func (e *export) docker(w io.Writer) error {
	t := tarSink{tar.NewWriter(w)}
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string
	}
	doc := entry{Config: hexOf(e.img.Config) + ".json", Layers: []string{}}
	if strings.Contains(e.name, ":") {
		doc.RepoTags = []string{e.name}
	}
	if err := putBytes(t, doc.Config, e.v.ConfigBytes()); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, l := range e.v.Layers() {
		name := hexOf(l.Layer().DiffID) + ".tar"
		doc.Layers = append(doc.Layers, name)
		if seen[name] {
			continue
		}
		seen[name] = true
		// The size has to be known before, and stands nowhere.
		size, err := e.plain(l, io.Discard)
		if err != nil {
			return err
		}
		e.store.step("export layer")
		err = t.put(name, size, func(w io.Writer) error {
			_, err := e.plain(l, w)
			return err
		})
		if err != nil {
			return err
		}
	}
	raw, err := json.Marshal([]entry{doc})
	if err != nil {
		return err
	}
	if err := putBytes(t, "manifest.json", raw); err != nil {
		return err
	}
	return t.w.Close()
}

// plain writes a layer's uncompressed tar and returns its length. The bytes are
// held against the diff ID.
func (e *export) plain(l image.VerifiedLayer, w io.Writer) (int64, error) {
	desc := l.Layer()
	f, err := e.store.OpenBlob(desc.Digest)
	if err != nil {
		return 0, err
	}
	n, err := e.plainOf(f, desc, w)
	return n, errors.Join(err, f.Close())
}

func (e *export) plainOf(f io.ReadSeeker, desc image.Layer, w io.Writer) (int64, error) {
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err == nil && string(magic[:]) == "\x28\xb5\x2f\xfd" {
		return 0, fmt.Errorf("layer %s is compressed by zstd, which docker archives have no place for: use oci-archive", desc.Digest)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	plain, done, err := layer.Plain(&ctxReader{e.ctx, f})
	if err != nil {
		return 0, err
	}
	defer done()
	sum := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(w, sum.Hash()), io.LimitReader(plain, maxPlainBytes+1))
	if n > maxPlainBytes {
		return n, fmt.Errorf("layer %s is larger than any that is unpacked", desc.Digest)
	}
	if err == nil && sum.Digest() != desc.DiffID {
		err = &image.DigestError{What: "uncompressed layer", Want: desc.DiffID, Got: sum.Digest()}
	}
	return n, err
}
