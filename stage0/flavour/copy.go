package flavour

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/raket/raket/pkg/atomicfile"
)

// copyTree copies the content of a directory: directories, files, symbolic links.
// Whatever the umask, nobody but the owner may write to the copy, and who could
// read still can. When it returns, all is on the disk but the entries of dst.
func copyTree(dst, src string) error {
	entries, err := os.ReadDir(src)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(src, e.Name()), filepath.Join(dst, e.Name())
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode() &^ 0o022; mode.Type() {
		case 0:
			err = copyFile(to, from, mode.Perm())
		case fs.ModeDir:
			if err = os.Mkdir(to, 0o700); err == nil {
				err = copyTree(to, from)
			}
			if err == nil {
				err = errors.Join(os.Chmod(to, mode.Perm()), atomicfile.SyncDir(to))
			}
		case fs.ModeSymlink:
			err = copyLink(to, from)
		default:
			err = fmt.Errorf("%s is neither file, directory nor symbolic link", from)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func copyFile(dst, src string, mode fs.FileMode) (err error) {
	in, err := os.Open(src)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return errors.Join(out.Chmod(mode), out.Sync())
}

func copyLink(dst, src string) error {
	target, err := os.Readlink(src)
	if err != nil {
		return err
	}
	return os.Symlink(target, dst)
}
