package imagestore

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// Format is a form in which an image leaves the store.
type Format string

// The formats.
const (
	ACI        Format = "aci"         // the ACI file, byte for byte as it came
	OCIArchive Format = "oci-archive" // a tar of an OCI image layout
	OCIDir     Format = "oci-dir"     // an OCI image layout (image-spec, "Image Layout")
	// DockerArchive is what docker load reads. It has layers uncompressed, and
	// another manifest, so the image ID is another one when it is read again.
	DockerArchive Format = "docker-archive"
)

// ExportOptions say how an image is exported.
type ExportOptions struct {
	// Format is ACI for an ACI and OCIArchive for other images by default.
	Format Format
	// Name is which of its names the image has in what is written; the first by
	// default. Only those of registries and bare ones have a form there.
	Name string
	// Overwrite replaces a file, or a directory that is an OCI image layout.
	Overwrite bool
}

// Export writes an image to a file, or to a directory, at path. Every blob is
// held against its digest. What is written appears when it is whole; the error is
// an *ExistsError where something is in its place.
func (s *Store) Export(ctx context.Context, img image.Image, path string, opts ExportOptions) (err error) {
	e, err := s.newExport(ctx, img, opts)
	if err != nil {
		return err
	}
	lock, err := s.FetchLock() // no blob goes meanwhile
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if e.format != OCIDir {
		return s.writeFile(path, opts.Overwrite, e.write)
	}
	replaceable := func() error {
		if !opts.Overwrite {
			return &ExistsError{path}
		}
		if _, err := os.Stat(filepath.Join(path, "oci-layout")); err != nil {
			return fmt.Errorf("%q is no OCI image layout, and is not overwritten", path)
		}
		return nil
	}
	return s.writeDir(ctx, path, replaceable, func(dir string) error { return e.layout(dirSink(dir)) })
}

// ExportTo is Export to a stream. On an error what was written is of no use.
func (s *Store) ExportTo(ctx context.Context, img image.Image, w io.Writer, opts ExportOptions) (err error) {
	e, err := s.newExport(ctx, img, opts)
	if err != nil {
		return err
	}
	if e.format == OCIDir {
		return fmt.Errorf("format %s is a directory", e.format)
	}
	lock, err := s.FetchLock()
	if err != nil {
		return err
	}
	return errors.Join(e.write(w), lock.Close())
}

// export is one export.
type export struct {
	ctx    context.Context // of one Export, which it does not outlive
	store  *Store
	img    image.Image
	v      image.Verified
	format Format
	name   string // as ref.name; may be empty
}

func (s *Store) newExport(ctx context.Context, img image.Image, opts ExportOptions) (*export, error) {
	e := &export{ctx: ctx, store: s, img: img, format: opts.Format}
	appc := img.Kind == image.Appc
	switch opts.Format {
	case "":
		e.format = OCIArchive
		if appc {
			e.format = ACI
		}
	case ACI:
		if !appc {
			return nil, errors.New("an OCI image has no form as an ACI: use oci-archive, oci-dir or docker-archive")
		}
	case OCIArchive, OCIDir, DockerArchive:
		if appc {
			return nil, fmt.Errorf("an ACI has no form as %s: it is exported as the ACI file", opts.Format)
		}
	default:
		return nil, fmt.Errorf("unknown format %q", opts.Format)
	}
	for _, name := range append([]string{opts.Name}, img.Names...) {
		if name = strings.TrimPrefix(name, "docker://"); isRefName(name) {
			e.name = name
			break
		}
	}
	var err error
	e.v, err = s.Verified(ctx, img)
	return e, err
}

// write writes what is one file.
func (e *export) write(w io.Writer) error {
	switch e.format {
	case ACI:
		return e.copyBlob(w, e.img.Layers[0].Digest, e.img.Layers[0].SizeBytes)
	case DockerArchive:
		return e.docker(w)
	}
	t := tar.NewWriter(w)
	if err := e.layout(tarSink{t}); err != nil {
		return err
	}
	return t.Close()
}

// sink takes the files of a layout.
type sink interface {
	// put makes a file of this many bytes of what fill writes.
	put(name string, size int64, fill func(io.Writer) error) error
}

// layout writes an OCI image layout of the one image.
func (e *export) layout(to sink) error {
	entry := indexEntry{
		MediaType: manifestType(e.v.ManifestBytes()), Digest: e.img.ID, Size: int64(len(e.v.ManifestBytes())),
	}
	if e.name != "" {
		entry.Annotations = map[string]string{annotationRefName: e.name}
	}
	idx, err := json.Marshal(index{SchemaVersion: 2, MediaType: mediaTypeIndex, Manifests: []indexEntry{entry}})
	if err != nil {
		return err
	}
	if err := putBytes(to, "oci-layout", []byte(layoutFile)); err != nil {
		return err
	}
	if err := putBytes(to, "index.json", idx); err != nil {
		return err
	}
	if err := putBytes(to, blobName(e.img.ID), e.v.ManifestBytes()); err != nil {
		return err
	}
	seen := map[digest.Digest]bool{e.img.ID: true}
	if !seen[e.img.Config] {
		seen[e.img.Config] = true
		if err := putBytes(to, blobName(e.img.Config), e.v.ConfigBytes()); err != nil {
			return err
		}
	}
	for _, l := range e.v.Layers() {
		desc := l.Layer()
		if seen[desc.Digest] {
			continue
		}
		seen[desc.Digest] = true
		e.store.step("export layer")
		err := to.put(blobName(desc.Digest), desc.SizeBytes, func(w io.Writer) error {
			return e.copyBlob(w, desc.Digest, desc.SizeBytes)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func blobName(d digest.Digest) string { return "blobs/sha256/" + hexOf(d) }

func putBytes(to sink, name string, content []byte) error {
	return to.put(name, int64(len(content)), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// copyBlob copies a blob of this size. An error may come at its end, when w has it.
func (e *export) copyBlob(w io.Writer, id digest.Digest, size int64) error {
	f, err := e.store.OpenBlob(id)
	if err != nil {
		return err
	}
	sum := digest.SHA256.Digester()
	r := io.TeeReader(&ctxReader{e.ctx, f}, sum.Hash())
	n, err := io.Copy(w, io.LimitReader(r, size))
	if err == nil && n == size {
		var more [1]byte
		if m, _ := f.Read(more[:]); m > 0 {
			n++
		}
	}
	switch {
	case err != nil:
	case n != size:
		err = fmt.Errorf("blob %s has not the %d bytes its manifest says", id, size)
	case sum.Digest() != id:
		err = &image.DigestError{What: "layer", Want: id, Got: sum.Digest()}
	}
	return errors.Join(err, f.Close())
}

// ctxReader reads until its context, which is that of one call, ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

type tarSink struct{ w *tar.Writer }

func (t tarSink) put(name string, size int64, fill func(io.Writer) error) error {
	const mode = 0o644
	if err := t.w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: mode}); err != nil {
		return err
	}
	return fill(t.w)
}

type dirSink string

func (d dirSink) put(name string, _ int64, fill func(io.Writer) error) error {
	path := filepath.Join(string(d), name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(fill(f), f.Close())
}
