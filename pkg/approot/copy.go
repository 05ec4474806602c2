package approot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/copytree"
)

// Send writes what is at name in the root to w, as a tar stream. A symbolic link is
// sent as one; the content of a directory, where name ends in "/.". What was left out
// is returned (see copytree.Send).
func (v View) Send(ctx context.Context, w io.Writer, name string) (left []string, err error) {
	clean := path.Clean("/" + name)
	dir, base := path.Dir(clean), path.Base(clean)
	if clean == "/" || strings.HasSuffix(name, "/.") {
		dir, base = clean, copytree.Contents
	}
	fd, err := openIn(v.fd, dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, &os.PathError{Op: "copy", Path: name, Err: err}
	}
	defer func() { err = errors.Join(err, unix.Close(fd)) }()
	return copytree.Send(ctx, w, fd, base)
}

// Receive unpacks a tar stream into the directory at name in the root or, where there
// is none, to that name (see copytree.Target). A name that ends in a slash, or is to
// take an archive of several roots, has to be a directory.
func (v View) Receive(ctx context.Context, r io.Reader, name string, defused bool) (err error) {
	clean := path.Clean("/" + name)
	t := copytree.Target{Defused: defused}
	t.Dir, err = openIn(v.fd, clean, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if (errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR)) && clean != "/" {
		if strings.HasSuffix(name, "/") || strings.HasSuffix(name, "/.") {
			return fmt.Errorf("copy: %q is not a directory", name)
		}
		t.Name = path.Base(clean)
		t.Dir, err = openIn(v.fd, path.Dir(clean), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	}
	if err != nil {
		return &os.PathError{Op: "copy to", Path: name, Err: err}
	}
	defer func() { err = errors.Join(err, unix.Close(t.Dir)) }()
	return copytree.Receive(ctx, r, t)
}

// Copy is the entrypoint cp of a stage1, in an app's root: args are "--out" and a
// path, which is written to stdout, or "--in" and a path, which is read from stdin.
func (v View) Copy(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) != 2 || args[0] != "--in" && args[0] != "--out" {
		return errors.New("cp: want --in or --out, UUID, APP and a path")
	}
	if args[0] == "--in" {
		return v.Receive(ctx, stdin, args[1], false)
	}
	left, err := v.Send(ctx, stdout, args[1])
	if err != nil {
		return err
	}
	return ReportLeft(stderr, left)
}

// ReportLeft says what Send left out; nothing if it is nothing.
func ReportLeft(w io.Writer, left []string) error {
	if len(left) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "raket: left out devices, sockets and the kernel's files: %q and %d more\n", left[0], len(left)-1)
	return err
}
