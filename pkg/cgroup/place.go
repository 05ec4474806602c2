package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Place is where another process is in all hierarchies, as open files of them. They
// do their work in whatever namespaces they are used later.
type Place struct {
	// Tasks are, of the legacy hierarchies, files that take the thread that writes
	// "0" to them.
	Tasks []*os.File
	// Dir is the group's directory in the unified hierarchy, and Procs the file in
	// it that takes the process that writes "0"; nil where there is none.
	Dir, Procs *os.File
}

// Close closes the files.
func (p Place) Close() error {
	var errs []error
	for _, f := range append(p.Tasks, p.Dir, p.Procs) {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// MoveThread moves the calling thread, which must be locked to its goroutine, to the
// place's groups of the legacy hierarchies. What it starts later starts there; what the
// process has of other threads stays.
func (p Place) MoveThread() error {
	for _, f := range p.Tasks {
		if _, err := f.WriteString("0"); err != nil {
			return fmt.Errorf("join control group %s: %w", f.Name(), err)
		}
	}
	return nil
}

// OpenPlace opens the groups of the process whose text of proc_pid_cgroup(5) this is,
// as read in the caller's control group namespace.
func OpenPlace(text io.Reader) (Place, error) { return openPlace(text, mountPoint) }

func openPlace(text io.Reader, mount string) (p Place, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the app's control group: %w", err), p.Close())
		}
	}()
	sc := bufio.NewScanner(text)
	for sc.Scan() {
		fields := strings.SplitN(sc.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		path := fields[2]
		// The group may be gone with its last process but one, and out of sight in a
		// namespace that does not have it.
		if strings.HasPrefix(path, "/..") || strings.HasSuffix(path, " (deleted)") {
			return p, fmt.Errorf("%s is out of reach", path)
		}
		switch controllers := fields[1]; {
		case controllers == "":
			root := mount
			if _, err := os.Stat(filepath.Join(mount, "unified")); err == nil {
				root = filepath.Join(mount, "unified")
			}
			if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err != nil {
				continue // not mounted
			}
			dir := filepath.Join(root, path)
			if p.Dir, err = os.OpenFile(dir, unix.O_DIRECTORY|os.O_RDONLY, 0); err != nil {
				return p, err
			}
			if p.Procs, err = os.OpenFile(filepath.Join(dir, "cgroup.procs"), os.O_WRONLY, 0); err != nil {
				return p, err
			}
		default:
			root, ok := legacyRoot(mount, controllers)
			if !ok {
				continue
			}
			f, err := os.OpenFile(filepath.Join(root, path, "tasks"), os.O_WRONLY, 0)
			if err != nil {
				return p, err
			}
			p.Tasks = append(p.Tasks, f)
		}
	}
	return p, sc.Err()
}

// legacyRoot finds where a hierarchy is mounted: under its controllers' names, or
// under each of them.
func legacyRoot(mount, controllers string) (string, bool) {
	first, _, _ := strings.Cut(controllers, ",")
	for _, name := range [...]string{controllers, first} {
		root := filepath.Join(mount, strings.TrimPrefix(name, "name="))
		if st, err := os.Stat(filepath.Join(root, "tasks")); err == nil && st.Mode().IsRegular() {
			return root, true
		}
	}
	return "", false
}
