package layer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// Limits bound what one layer may become. A zero field has its default.
type Limits struct {
	// MaxEntries is of files, directories and links; default 1,048,576.
	MaxEntries int64
	// MaxBytes is of the uncompressed tar and of the files in it, holes
	// included; default 64 GiB.
	MaxBytes int64
	// MaxRatio is how many times larger than its blob a layer may become
	// once it is beyond 1 GiB; default 250.
	MaxRatio int64
}

const (
	defaultMaxEntries = 1 << 20
	defaultMaxBytes   = 64 << 30
	defaultMaxRatio   = 250
	ratioFreeBytes    = 1 << 30
)

// bytesFor is the bound on the uncompressed size of a blob of this size.
func (l Limits) bytesFor(blobBytes int64) int64 {
	limit, ratio := l.MaxBytes, l.MaxRatio
	if limit <= 0 {
		limit = defaultMaxBytes
	}
	if ratio <= 0 {
		ratio = defaultMaxRatio
	}
	if blobBytes < limit/ratio {
		limit = min(limit, max(ratioFreeBytes, blobBytes*ratio))
	}
	return limit
}

func (l Limits) entries() int64 {
	if l.MaxEntries <= 0 {
		return defaultMaxEntries
	}
	return l.MaxEntries
}

// Options say how a layer is unpacked. The zero value makes an overlayfs
// lower directory within the default limits.
type Options struct {
	Limits Limits
	// Memory is shared by the layers that are unpacked at a time; nil bounds
	// each one by itself only.
	Memory *Budget
	// Tee receives the blob's bytes as they are read, unverified; nil for none.
	Tee io.Writer
	// OnBytes is told how many bytes of the blob were read, from another
	// goroutine; nil for none.
	OnBytes func(n int)
	// Flat applies whiteouts to what dst holds, instead of recording them:
	// for layers unpacked one over the other.
	Flat bool
}

// Unpacked is proof that a layer's bytes had both digests its description
// says. Its zero value proves nothing.
type Unpacked struct {
	layer image.Layer
	stats Stats
}

// Layer is the description the bytes were held against; empty in the zero value.
func (u Unpacked) Layer() image.Layer { return u.layer }

// Stats counts what was unpacked.
func (u Unpacked) Stats() Stats { return u.stats }

// Stats counts what was unpacked of a layer.
type Stats struct {
	Entries int64 `json:"entries"`
	// Bytes is of regular files.
	Bytes int64 `json:"bytes"`
	// Devices is how many device nodes were left out.
	Devices int64 `json:"devices,omitempty"`
	// Capabilities is how many files lost capabilities that an image may not give.
	Capabilities int64 `json:"capabilities,omitempty"`
	// OpensOutput says that a symbolic link leads to what is a process's standard
	// output or errors, or that a configuration file names it: programs that write a
	// log there open it.
	OpensOutput bool `json:"opensOutput,omitempty"`
	// Implied has the clean, relative names of implied directories.
	Implied []string `json:"implied,omitempty"`
}

const (
	rawChunk, rawChunks = 128 << 10, 6
	tarChunk, tarChunks = 256 << 10, 6
	// drainBytes is how much more of a blob is read after an error in it, to
	// tell a corrupted blob from a bad one.
	drainBytes = 16 << 20
)

// Unpack reads blob to its end, closes it, and unpacks it below dst, an
// existing directory that nobody else may be using. Reading, decompressing and
// writing overlap. On an error dst holds remains, for the caller to remove,
// and the error is one of: *image.DigestError, *SizeError, *EntryError, a
// limit, ctx's, or the reader's or the file system's own.
func Unpack(ctx context.Context, blob io.ReadCloser, l image.VerifiedLayer, dst string, opts Options) (Unpacked, error) {
	desc := l.Layer()
	if desc.Digest == "" {
		return Unpacked{}, errors.Join(errors.New("unpack: no layer"), blob.Close())
	}
	raw := newVerifier(ctx, blob, desc, opts)
	rawPipe := readAhead(raw, rawChunk, rawChunks)
	// A reader stuck in the network is freed by closing what it reads.
	stop := context.AfterFunc(ctx, func() { blob.Close() })
	defer stop()

	stats, diffID, err := unpackStream(ctx, rawPipe, l, dst, opts)
	if err == nil {
		_, err = io.Copy(io.Discard, rawPipe) // padding after a compressed stream
	} else if left := desc.SizeBytes - raw.read.Load(); left <= drainBytes && ctx.Err() == nil {
		if _, rawErr := io.Copy(io.Discard, rawPipe); rawErr != nil {
			err = rawErr
		}
	}
	stop()
	closeErr := blob.Close()
	rawPipe.Close()
	switch {
	case ctx.Err() != nil:
		return Unpacked{}, fmt.Errorf("unpack layer %s: %w", desc.Digest, ctx.Err())
	case err != nil:
		return Unpacked{}, fmt.Errorf("unpack layer %s: %w", desc.Digest, err)
	case closeErr != nil:
		return Unpacked{}, fmt.Errorf("unpack layer %s: %w", desc.Digest, closeErr)
	case diffID != desc.DiffID:
		return Unpacked{}, &image.DigestError{What: "uncompressed layer", Want: desc.DiffID, Got: diffID}
	}
	return Unpacked{layer: desc, stats: stats}, nil
}

func unpackStream(ctx context.Context, blob io.Reader, l image.VerifiedLayer, dst string, opts Options) (Stats, digest.Digest, error) {
	plain, closePlain, err := opener{ctx, l.Kind(), opts.Memory}.open(bufio.NewReaderSize(blob, 64<<10))
	if err != nil {
		return Stats{}, "", err
	}
	limit := opts.Limits.bytesFor(l.Layer().SizeBytes)
	sum := &hashReader{r: plain, h: sha256.New(), left: limit, limit: limit}
	pipe := readAhead(sum, tarChunk, tarChunks)
	stats, err := applyTar(ctx, pipe, dst, l.Kind(), limit, opts)
	if err == nil {
		_, err = io.Copy(io.Discard, pipe) // blocks after the end of the archive
	}
	pipe.Close()
	sum.r = nil // its window may be garbage from here on
	closePlain()
	return stats, digest.NewDigest(digest.SHA256, sum.h), err
}

// hashReader hashes what passes and ends with an error beyond its limit.
type hashReader struct {
	r           io.Reader
	h           hash.Hash
	left, limit int64
}

func (h *hashReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.h.Write(p[:n])
	if h.left -= int64(n); h.left < 0 {
		return n, fmt.Errorf("layer unpacks to more than %d bytes, the limit for its size", h.limit)
	}
	return n, err
}

// Verify reads blob to its end, closes it, and writes it to w, which must not
// be trusted before Verify has returned without an error. Errors are as
// Unpack's.
func Verify(ctx context.Context, blob io.ReadCloser, l image.VerifiedLayer, w io.Writer, onBytes func(int)) error {
	desc := l.Layer()
	if desc.Digest == "" {
		return errors.Join(errors.New("verify: no layer"), blob.Close())
	}
	stop := context.AfterFunc(ctx, func() { blob.Close() })
	defer stop()
	v := newVerifier(ctx, blob, desc, Options{Tee: w, OnBytes: onBytes})
	buf := make([]byte, rawChunk)
	_, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{v}, buf)
	stop()
	closeErr := blob.Close()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("read layer %s: %w", desc.Digest, err)
	}
	return nil
}
