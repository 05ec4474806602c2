package layer

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/raket/raket/pkg/image"
)

// maxWindow bounds the memory one zstd or xz stream makes its reader hold;
// zstd -22 of something large is refused.
const maxWindow = 64 << 20

// decompress returns the uncompressed bytes of r and what releases the
// decompressor. The compression is told by the first bytes: media types are
// often wrong. OCI layers are plain, gzip or zstd (image-spec, "Layer Media
// Types"); ACIs plain, gzip, bzip2 or xz (appc spec, "Image Archives").
func decompress(r *bufio.Reader, kind image.Kind) (io.Reader, func(), error) {
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
		if kind == image.Appc {
			break
		}
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(1<<62))
		if err != nil {
			return nil, nil, fmt.Errorf("decompress: %w", err)
		}
		return z, z.Close, nil
	case is("BZh") && kind == image.Appc:
		return bzip2.NewReader(r), nothing, nil
	case is("\xfd7zXZ\x00") && kind == image.Appc:
		if err := checkXZ(r); err != nil {
			return nil, nil, err
		}
		z, err := xz.ReaderConfig{DictCap: 1 << 20}.NewReader(r)
		if err != nil {
			return nil, nil, fmt.Errorf("decompress: %w", err)
		}
		return z, nothing, nil
	}
	return r, nothing, nil
}

// Plain returns the uncompressed bytes of an ACI or of an image archive, told
// by the first bytes, and what releases the decompressor.
func Plain(r io.Reader) (io.Reader, func(), error) {
	return decompress(bufio.NewReaderSize(r, 64<<10), image.Appc)
}

// IsCompressed reports whether what Plain returned decompresses.
func IsCompressed(plain io.Reader) bool {
	_, same := plain.(*bufio.Reader)
	return !same
}

// checkXZ refuses a dictionary beyond maxWindow before anything allocates it
// (xz file format, sections 3.1 and 5.3.1).
func checkXZ(r *bufio.Reader) error {
	head, err := r.Peek(64)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	const blockHeader = 12
	if len(head) < blockHeader+2 {
		return io.ErrUnexpectedEOF
	}
	at := blockHeader + 2
	for _, hasSize := range []byte{0x40, 0x80} {
		if head[blockHeader+1]&hasSize == 0 {
			continue
		}
		for at < len(head) && head[at]&0x80 != 0 {
			at++
		}
		at++
	}
	if at+3 > len(head) || head[at] != 0x21 || head[at+1] != 1 {
		return errors.New("decompress: xz filters other than LZMA2 are not supported")
	}
	if bits := head[at+2]; bits > 40 || (2|uint64(bits&1))<<(bits/2+11) > maxWindow {
		return fmt.Errorf("decompress: xz dictionary is larger than %d MiB", maxWindow>>20)
	}
	return nil
}
