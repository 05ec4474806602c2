package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

func (r *realImages) Export(ctx context.Context, q exportRequest) error {
	img, name, err := r.find(q.Image)
	if err != nil {
		return err
	}
	o := imagestore.ExportOptions{Format: imagestore.Format(q.Format), Name: name, Overwrite: q.Overwrite}
	if q.Path == "-" {
		return r.store.ExportTo(ctx, img, r.Stdout, o)
	}
	return r.store.Export(ctx, img, q.Path, o)
}

func (r *realImages) Extract(ctx context.Context, q extractRequest) error {
	img, _, err := r.find(q.Image)
	if err != nil {
		return err
	}
	return r.store.Extract(ctx, img, q.Dir, imagestore.ExtractOptions{
		RootfsOnly: q.RootfsOnly, Overwrite: q.Overwrite, Rendered: q.Rendered,
	})
}

func (r *realImages) Import(ctx context.Context, q importRequest, each func(image.Image) error) error {
	path, err := filepath.Abs(q.Path)
	if q.Path == "-" {
		path, err = stdinPath, r.seekableStdin(ctx)
	}
	if err != nil {
		return err
	}
	images, err := readArchive(path)
	if err != nil {
		return err
	}
	for _, a := range images {
		img, err := r.Fetch(ctx, fetchRequest{Name: a.Ref, Signature: q.Signature, Quiet: q.Quiet})
		if err != nil {
			return err
		}
		if q.Names && len(a.Names) > 0 {
			var names []string
			for _, name := range a.Names {
				names = append(names, "docker://"+name)
			}
			if err := r.store.AddNames(img, names); err != nil {
				return err
			}
		}
		if err := each(img); err != nil {
			return err
		}
	}
	return nil
}

const stdinPath = "/dev/stdin"

// seekableStdin makes standard input a file where it is a pipe: archives are read in
// more than one pass.
func (r *realImages) seekableStdin(ctx context.Context) error {
	var st unix.Stat_t
	if err := unix.Fstat(unix.Stdin, &st); err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFCHR:
		return errors.New("standard input is no file and no pipe")
	}
	tmp, err := os.CreateTemp("", "raket-")
	if err != nil {
		return err
	}
	defer tmp.Close()
	if err := os.Remove(tmp.Name()); err != nil {
		return err
	}
	n, err := io.Copy(tmp, io.LimitReader(untilDone{ctx, r.Stdin}, maxArchiveBytes+1))
	if err != nil {
		return fmt.Errorf("read standard input: %w", err)
	}
	if n > maxArchiveBytes {
		return fmt.Errorf("standard input is larger than %d GiB", int64(maxArchiveBytes)>>30)
	}
	return unix.Dup3(int(tmp.Fd()), unix.Stdin, 0)
}

// untilDone reads until its context, which is that of one call, ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}
