package layers

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"github.com/klauspost/compress/zstd"
)

const mediaLayer = "application/vnd.oci.image.layer.v1.tar"

// Gzip packs as registries do, at the level that is made fastest.
func Gzip() Packing {
	return Packing{mediaLayer + "+gzip", func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestSpeed) }}
}

// Zstd packs with a window of so many bytes, a power of two.
func Zstd(window int) Packing {
	return Packing{mediaLayer + "+zstd", func(w io.Writer) (io.WriteCloser, error) {
		return zstd.NewWriter(w, zstd.WithWindowSize(window), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	}}
}

// entries adapts what writes entries to what writes bytes.
func entries(write func(*tar.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		tw := tar.NewWriter(w)
		return errors.Join(write(tw), tw.Close())
	}
}

// Blocks is a layer of so many MiB in files of one MiB, half of them random,
// half of them text that repeats within 64 KiB and over many files.
func Blocks(seed uint64, mib int) func(io.Writer) error {
	return entries(func(tw *tar.Writer) error {
		random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
		body, text := make([]byte, 1<<20), make([]byte, 1<<20)
		_, _ = random.Read(text[:64<<10]) // never fails
		for i := 64 << 10; i < len(text); i *= 2 {
			copy(text[i:], text[:i])
		}
		for n := range mib {
			data := text
			if n%2 == 0 {
				_, _ = random.Read(body)
				data = body
			}
			err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("blocks-%d/%d/%d", seed, n/64, n), Mode: 0o644, Size: int64(len(data))})
			if err == nil {
				_, err = tw.Write(data)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ManyFiles is a layer of so many small files, one directory for ten.
func ManyFiles(files int) func(io.Writer) error {
	return entries(func(tw *tar.Writer) error {
		for n := range files {
			dir := fmt.Sprintf("usr/share/some-package/%03d/directory-%06d", n/10000, n/10)
			if n%10 == 0 {
				if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
					return err
				}
			}
			err := tw.WriteHeader(&tar.Header{Name: fmt.Sprintf("%s/file-%07d", dir, n), Mode: 0o644, Size: 8})
			if err == nil {
				_, err = fmt.Fprintf(tw, "%08d", n)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ManyLinks is a layer of so many hard links with long names, in directories
// with long names, to a few files.
func ManyLinks(links int) func(io.Writer) error {
	return entries(func(tw *tar.Writer) error {
		long := strings.Repeat("a-long-name-", 18)
		for n := range links {
			// No file system has more than some 65,000 names for one file.
			target := fmt.Sprintf("%s/target-%d", long, n/10000)
			if n%10000 == 0 {
				if err := tw.WriteHeader(&tar.Header{Name: target, Mode: 0o644}); err != nil {
					return err
				}
			}
			dir := fmt.Sprintf("%s/%s%d", long, long, n/4)
			if n%4 == 0 {
				if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}); err != nil {
					return err
				}
			}
			if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeLink, Name: fmt.Sprintf("%s/%s%d", dir, long, n), Linkname: target, Mode: 0o644}); err != nil {
				return err
			}
		}
		return nil
	})
}
