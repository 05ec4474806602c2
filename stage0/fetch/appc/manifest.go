package appc

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/raket/raket/pkg/image"
)

const defaultMaxBytes = 64 << 30

type reader struct {
	ctx  context.Context // of one Read
	r    io.Reader
	left int64
}

// Read is the file's, until the context ends.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// findManifest reads the whole tar, which must have one manifest and a rootfs.
func findManifest(r io.Reader) ([]byte, error) {
	var manifest []byte
	tr := tar.NewReader(r)
	for {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
		if hdr.Name != "manifest" && hdr.Name != "./manifest" && hdr.Name != "/manifest" {
			continue
		}
		switch {
		case manifest != nil:
			return nil, errors.New("it has two manifests")
		case hdr.Typeflag != tar.TypeReg:
			return nil, errors.New("its manifest is not a regular file")
		case hdr.Size > image.MaxManifestBytes:
			return nil, fmt.Errorf("its manifest is larger than %d MiB", image.MaxManifestBytes>>20)
		}
		if manifest, err = io.ReadAll(tr); err != nil {
			return nil, fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
	}
	if manifest == nil {
		return nil, errors.New("it has no manifest")
	}
	return manifest, nil
}

// without removes an object's member, or changes it. Names are compared as
// package json does, without regard to case.
func without(doc json.RawMessage, name string, change func(json.RawMessage) (json.RawMessage, error)) (json.RawMessage, error) {
	if string(doc) == "null" {
		return doc, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(doc, &members); err != nil {
		return nil, err
	}
	for key, value := range members {
		switch {
		case !strings.EqualFold(key, name):
		case change == nil:
			delete(members, key)
		default:
			changed, err := change(value)
			if err != nil {
				return nil, err
			}
			members[key] = changed
		}
	}
	return json.Marshal(members)
}
