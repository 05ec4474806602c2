package approot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/raket/raket/pkg/idmap"
)

// WriteCommon makes, in the new directory dir, a layer for all apps of a pod: the
// files that ForApp puts into each root, and the mount points that every root
// needs. One layer costs less than files in each root. They are owned by the pod's root.
func WriteCommon(dir string, files []File, ids *idmap.Map) error {
	return ids.As(func() error { return writeCommon(dir, files) })
}

func writeCommon(dir string, files []File) error {
	for _, d := range [...]string{"", "dev", "etc", "proc", "sys"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Path), []byte(f.Content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// UseCommon puts the layer that WriteCommon made of r.Files on top of the root's
// own, in place of the files. It leaves r as it is where that would change what
// the image says of /etc: a layer's directory hides the owner and mode of those
// below, and anything that is no directory.
func (r *Root) UseCommon(dir string) error {
	if len(r.Lowers) == 0 {
		return nil
	}
	for _, lower := range r.Lowers {
		st, err := os.Lstat(filepath.Join(lower, "etc"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		var root uint32
		if r.IDs.Shows(lower) {
			root = r.IDs.Host(0)
		}
		if !ok || st.Mode() != fs.ModeDir|0o755 || sys.Uid != root || sys.Gid != root {
			return nil
		}
		break
	}
	r.Lowers = append([]string{dir}, r.Lowers...)
	r.Files, r.common = nil, dir
	return nil
}
