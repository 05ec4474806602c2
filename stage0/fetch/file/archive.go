package file

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/raket/raket/pkg/layer"
)

// archive is a tar whose members are read where they lie in the file.
type archive struct {
	f       *os.File
	members map[string]span
	links   map[string]string
}

type span struct{ off, size int64 }

const (
	maxMembers      = 1 << 16
	maxArchiveBytes = 64 << 30
)

// openArchive finds the members of the tar at name.
func openArchive(ctx context.Context, name string) (*archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	f, err = uncompressed(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("read archive %q: %w", name, err)
	}
	a := &archive{f: f, members: map[string]span{}, links: map[string]string{}}
	if err := a.scan(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read archive %q: %w", name, err), f.Close())
	}
	return a, nil
}

// uncompressed returns f, at its start, or a temporary file without a name that
// has its uncompressed content.
func uncompressed(ctx context.Context, f *os.File) (*os.File, error) {
	plain, done, err := layer.Plain(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer done()
	if !layer.IsCompressed(plain) {
		_, err := f.Seek(0, io.SeekStart)
		return f, err
	}
	tmp, err := os.CreateTemp("", "raket-")
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	err = os.Remove(tmp.Name())
	if err == nil {
		var n int64
		n, err = io.Copy(tmp, io.LimitReader(ctxReader{ctx, plain}, maxArchiveBytes+1))
		if err == nil && n > maxArchiveBytes {
			err = fmt.Errorf("it unpacks to more than %d bytes", int64(maxArchiveBytes))
		}
	}
	if err == nil {
		_, err = tmp.Seek(0, io.SeekStart)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, tmp.Close())
	}
	return tmp, nil
}

type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r ctxReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (a *archive) scan(ctx context.Context) error {
	tr := tar.NewReader(a.f)
	for n := 0; ; n++ {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("not a tar, or a damaged one: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if n > maxMembers {
			return fmt.Errorf("it has more than %d members", maxMembers)
		}
		name := path.Clean("/" + hdr.Name)[1:]
		switch hdr.Typeflag {
		case tar.TypeReg:
			// The reader stands at the content: it seeks, it does not buffer.
			off, err := a.f.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			a.members[name] = span{off, hdr.Size}
		case tar.TypeSymlink:
			a.links[name] = path.Clean("/" + path.Join(path.Dir(name), hdr.Linkname))[1:]
		case tar.TypeLink:
			a.links[name] = path.Clean("/" + hdr.Linkname)[1:]
		}
	}
}

// find follows the links that docker save makes of layers it wrote before.
func (a *archive) find(name string) (span, error) {
	for range 8 {
		if s, ok := a.members[name]; ok {
			return s, nil
		}
		target, ok := a.links[name]
		if !ok {
			break
		}
		name = target
	}
	return span{}, fmt.Errorf("archive has no %q: %w", strings.TrimPrefix(name, "/"), fs.ErrNotExist)
}

func (a *archive) open(name string) (io.ReadCloser, error) {
	s, err := a.find(name)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(a.f, s.off, s.size)), nil
}

func (a *archive) Close() error { return a.f.Close() }
