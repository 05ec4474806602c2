package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/stage1/unitgen"
)

// place is a process of the pod, from whose place a command takes its own.
type place struct {
	dir  string          // of it in a proc file system that this process sees
	pid  int             // as the pod counts
	held approot.Process // an app's: dir is good as long as it is open
}

// status returns a line of proc_pid_status(5).
func (p place) status(key string) (string, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "status"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && name == key {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s/status has no %s", p.dir, key)
}

// sameUserNamespace fails for a process in another user namespace than the pod's: what
// systemd makes for PrivateUsers= belongs to the app.
func (p place) sameUserNamespace(pod place) error {
	one, err1 := os.Readlink(filepath.Join(pod.dir, "ns/user"))
	other, err2 := os.Readlink(filepath.Join(p.dir, "ns/user"))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if one != other {
		return errors.New("it has a user namespace of its own (PrivateUsers=), which a command cannot join")
	}
	return nil
}

// confine says which rights the command has: those that the app's unit gives the app
// or, if it is privileged, those of the pod's init.
func (e *entry) confine() ([]string, error) {
	if e.Privileged {
		bounding, err := e.pod.status("CapBnd")
		return []string{"-b", bounding}, err
	}
	c, err := unitgen.Confine(unitgen.App{Name: e.App, Spec: e.spec})
	if err != nil {
		return nil, err
	}
	if len(c.Filters) > 0 {
		return nil, fmt.Errorf("app %s has a system call filter that only systemd can make (%s=): a command would run without; --privileged runs one so", e.App, strings.Join(c.Filters, "=, "))
	}
	if l := unitgen.Label(e.spec); l != "" {
		return nil, fmt.Errorf("app %s is labelled %s, which a command would not be; --privileged runs one so", e.App, l)
	}
	bounding, ambient := hex(c.Bounding), hex(c.Ambient)
	noNewPrivs, err1 := e.app.status("NoNewPrivs")
	if c.OwnCapabilities {
		var err2 error
		bounding, err2 = e.app.status("CapBnd")
		ambient, err1 = e.app.status("CapAmb")
		err1 = errors.Join(err1, err2)
	}
	if err1 != nil {
		return nil, err1
	}
	options := []string{"-b", bounding, "-k", strconv.FormatUint(uint64(c.Umask), 8)}
	// What the app's user has, another does not get.
	if slices.Contains([]string{"", id(e.spec.Process.User.UID)}, e.User) {
		options = append(options, "-a", ambient)
	}
	if c.NoNewPrivileges || noNewPrivs == "1" {
		options = append(options, "-n")
	}
	if e.spec.Linux != nil && e.spec.Linux.Seccomp != nil {
		options = append(options, "-f", unitgen.FilterPath(e.App))
	}
	return options, nil
}

func hex(mask uint64) string { return strconv.FormatUint(mask, 16) }
