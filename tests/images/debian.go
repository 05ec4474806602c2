package images

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// maxDebFile bounds one file of a package.
const maxDebFile = 64 << 20

// download fetches Debian packages into dir, those that are not there yet, and returns their
// files, sorted. An empty dir is filled with the newest versions; later calls keep them.
func download(ctx context.Context, dir string, packages []string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("download packages: %w", err)
	}
	found := func() (files, missing []string, err error) {
		for _, p := range packages {
			m, err := filepath.Glob(filepath.Join(dir, p+"_*.deb"))
			if err != nil {
				return nil, nil, err
			}
			if len(m) == 0 {
				missing = append(missing, p)
			}
			files = append(files, m...)
		}
		slices.Sort(files)
		return files, missing, nil
	}
	files, missing, err := found()
	if err != nil || len(missing) == 0 {
		return files, err
	}
	get := func() error {
		// apt drops to a user of its own, who may not write here; that is a warning only.
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"download", "-o", "APT::Sandbox::User=root"}, missing...)...)
		cmd.Dir = dir
		return runQuiet(cmd)
	}
	if err := get(); err != nil {
		// The package lists may be absent or old.
		if err := runQuiet(exec.CommandContext(ctx, "apt-get", "update")); err != nil {
			return nil, fmt.Errorf("download packages: %w", err)
		}
		if err := get(); err != nil {
			return nil, fmt.Errorf("download packages: %w", err)
		}
	}
	files, missing, err = found()
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("download packages: no %s", strings.Join(missing, ", "))
	}
	return files, err
}

func runQuiet(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[:2], " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// libraries returns the library packages that the given packages need, by way of all between.
func libraries(ctx context.Context, packages []string) ([]string, error) {
	seen := map[string]bool{}
	queue := slices.Clone(packages)
	var libs []string
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		out, err := exec.CommandContext(ctx, "apt-cache", "depends", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", p).Output()
		if err != nil {
			return nil, fmt.Errorf("look up what %s depends on: %w", p, err)
		}
		for line := range strings.Lines(string(out)) {
			d, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
			isLib := strings.HasPrefix(d, "lib") || strings.HasPrefix(d, "zlib")
			if !ok || !isLib || seen[d] {
				continue
			}
			seen[d] = true
			libs = append(libs, d)
			queue = append(queue, d)
		}
	}
	slices.Sort(libs)
	return libs, nil
}

// unpackDebs returns the files of packages as entries, less what keep refuses. A path that
// several packages have is there once.
func unpackDebs(ctx context.Context, debs []string, keep func(path string) bool) ([]Entry, error) {
	var entries []Entry
	seen := map[string]bool{}
	for _, deb := range debs {
		data, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb).Output()
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
		}
		tr := tar.NewReader(bytes.NewReader(data))
		for {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
			}
			path := strings.Trim(strings.TrimPrefix(h.Name, "."), "/")
			if path == "" || seen[path] || !keep(path) {
				continue
			}
			body, err := io.ReadAll(io.LimitReader(tr, maxDebFile))
			if err != nil {
				return nil, fmt.Errorf("unpack %s: %w", filepath.Base(deb), err)
			}
			seen[path] = true
			e := Entry{Header: tar.Header{Typeflag: h.Typeflag, Name: path, Linkname: h.Linkname, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid}, Body: body}
			if h.Typeflag == tar.TypeDir {
				e.Name += "/"
			}
			if h.Typeflag == tar.TypeLink {
				e.Linkname = strings.TrimPrefix(h.Linkname, "./")
			}
			entries = append(entries, e)
		}
	}
	return entries, nil
}
