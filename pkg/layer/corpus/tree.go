package corpus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// List describes what is below a directory, a line a file, in order of names:
// its path, its mode, what is uncommon about its owner, and its content,
// target or number. Paths are quoted nowhere. The order is that of a walk.
func List(dir string) ([]string, error) {
	lines := []string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		line, err := describe(path, strings.TrimPrefix(path, dir+"/"), path == dir)
		if err == nil && line != "" {
			lines = append(lines, line)
		}
		return err
	})
	return lines, err
}

func describe(path, name string, isRoot bool) (string, error) {
	fi, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if isRoot {
		if xattr(path, "trusted.overlay.opaque") != "" {
			return ". opaque", nil
		}
		return "", nil
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return "", errors.New("no owner is known")
	}
	line := name + " " + fi.Mode().String()
	if st.Uid != 0 {
		line += fmt.Sprintf(" uid=%d", st.Uid)
	}
	switch {
	case fi.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return line + " -> " + target, err
	case fi.Mode().IsRegular():
		if raw := xattr(path, "security.capability"); len(raw) >= 16 {
			line += fmt.Sprintf(" cap=%x", uint64(binary.LittleEndian.Uint32([]byte(raw[4:])))|uint64(binary.LittleEndian.Uint32([]byte(raw[12:])))<<32)
			return line, nil
		}
		raw, err := os.ReadFile(path)
		return line + " " + string(raw), err
	case fi.IsDir() && xattr(path, "trusted.overlay.opaque") != "":
		line += " opaque"
	case fi.Mode()&fs.ModeDevice != 0:
		line += fmt.Sprintf(" %d:%d", st.Rdev>>8, st.Rdev&0xff)
	}
	return line, nil
}

func xattr(path, name string) string {
	var v [128]byte
	n, err := syscall.Getxattr(path, name, v[:])
	if err != nil {
		return ""
	}
	return string(v[:n])
}

// Attributes lists the names of all extended attributes below a directory, as
// "PATH NAME".
func Attributes(dir string) ([]string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		buf := make([]byte, 64<<10)
		n, err := syscall.Listxattr(path, buf)
		if err != nil {
			return fmt.Errorf("list attributes: %w", err)
		}
		for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
			if name != "" {
				lines = append(lines, strings.TrimPrefix(path, dir+"/")+" "+name)
			}
		}
		return nil
	})
	return lines, err
}

// MakeCanary makes a directory at path with what archives aim at.
func MakeCanary(path string) error {
	err := os.MkdirAll(filepath.Join(path, "dir"), 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(path, "dir", "file"), []byte("untouched"), 0o644)
	}
	return err
}

// Snapshot describes all below a directory that an escape could change, but
// for what is below the paths to skip: names, modes, owners, times, attributes
// and content.
func Snapshot(dir string, skip ...string) ([]string, error) {
	var lines []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		for _, s := range skip {
			if path == s {
				return fs.SkipDir
			}
		}
		fi, err := os.Lstat(path)
		if err != nil {
			return err
		}
		line, err := describe(path, path, false)
		if err == nil && fi.Mode()&fs.ModeSymlink == 0 {
			buf := make([]byte, 4096)
			n, _ := syscall.Listxattr(path, buf)
			line += fmt.Sprintf(" %s %q", fi.ModTime().UTC().Format(time.RFC3339Nano), buf[:max(n, 0)])
		}
		lines = append(lines, line)
		return err
	})
	return lines, err
}
