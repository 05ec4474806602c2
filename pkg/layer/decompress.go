package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/raket/raket/pkg/image"
)

// maxWindow bounds the memory that one zstd or xz stream makes its reader hold.
// zstd's levels up to 20 and xz's up to 8 keep within it.
const maxWindow = 32 << 20

// usualWindow is what every zstd decoder is expected to have (RFC 8878, section
// 3.1.1.1.2), and what levels up to 19 use.
const usualWindow = 8 << 20

// opener makes decompressors.
type opener struct {
	ctx    context.Context // of one Unpack, which it does not outlive
	kind   image.Kind
	budget *Budget
}

// open returns the uncompressed bytes of r and what releases the decompressor.
// The compression is told by the first bytes: media types are often wrong. OCI
// layers are plain, gzip or zstd (image-spec, "Layer Media Types"); ACIs plain,
// gzip, bzip2 or xz (appc spec, "Image Archives").
func (o opener) open(r *bufio.Reader) (io.Reader, func(), error) {
	nothing := func() {}
	magic, err := r.Peek(6)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	is := func(prefix string) bool { return bytes.HasPrefix(magic, []byte(prefix)) }
	switch {
	case is("\x1f\x8b"):
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("decompress: %w", err)
		}
		return z, nothing, nil
	case is("\x28\xb5\x2f\xfd") || len(magic) >= 4 && magic[0]&0xf0 == 0x50 && is(string(magic[:1])+"\x2a\x4d\x18"):
		if o.kind == image.Appc {
			break
		}
		return o.zstd(r)
	case is("BZh") && o.kind == image.Appc:
		return bzip2.NewReader(r), nothing, nil
	case is(xzMagic) && o.kind == image.Appc:
		return o.xz(r)
	}
	return r, nothing, nil
}

// zstd allows the window of the first frame, or the usual one, to all frames.
func (o opener) zstd(r *bufio.Reader) (io.Reader, func(), error) {
	window := int64(usualWindow)
	head, err := r.Peek(zstd.HeaderMaxSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	var h zstd.Header
	if h.Decode(head) == nil && !h.Skippable {
		asked := h.WindowSize
		if h.SingleSegment {
			asked = h.FrameContentSize
		}
		if asked > maxWindow {
			return nil, nil, windowError("zstd window", int64(min(asked, 1<<62)))
		}
		window = max(window, int64(asked))
	}
	release, err := o.acquire(window)
	if err != nil {
		return nil, nil, err
	}
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(uint64(window)), zstd.WithDecoderMaxMemory(uint64(window)))
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("decompress: %w", err)
	}
	return z, func() { z.Close(); release() }, nil
}

// acquire is the budget's, and makes room for a large window by collecting one
// that was given back: the runtime would first let the heap grow to twice what
// was in use.
func (o opener) acquire(window int64) (release func(), err error) {
	release, err = o.budget.acquire(o.ctx, window)
	if err == nil && window > usualWindow {
		runtime.GC()
	}
	return release, err
}

func (o opener) xz(r *bufio.Reader) (io.Reader, func(), error) {
	guard := &xzGuard{r: r, next: (*xzGuard).streamHeader}
	dict, err := guard.dictBytes()
	if err != nil {
		return nil, nil, err
	}
	release, err := o.acquire(dict)
	if err != nil {
		return nil, nil, err
	}
	z, err := xz.ReaderConfig{DictCap: 1 << 20}.NewReader(guard)
	if err != nil {
		release()
		return nil, nil, fmt.Errorf("decompress: %w", err)
	}
	return z, release, nil
}

// Plain returns the uncompressed bytes of an ACI or of an image archive, told
// by the first bytes, and what releases the decompressor.
func Plain(r io.Reader) (io.Reader, func(), error) {
	return opener{ctx: context.Background(), kind: image.Appc}.open(bufio.NewReaderSize(r, 64<<10))
}

// IsCompressed reports whether what Plain returned decompresses.
func IsCompressed(plain io.Reader) bool {
	_, same := plain.(*bufio.Reader)
	return !same
}
