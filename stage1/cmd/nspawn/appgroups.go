package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

// groupName is the directory of an app's control groups in those of its pod. One that has joined a
// running pod has groups of its own, also where it replaces another: what that was told does not
// hold for it, and that may come back.
func groupName(a stageabi.App) string {
	if a.Added.IsZero() {
		return a.Name
	}
	return a.Name + groupSeparator + strconv.FormatInt(a.Added.UnixNano(), 36)
}

// groupSeparator is in no app's name.
const groupSeparator = "."

// removeGroups removes the control groups of apps of a name, but for those called keep. One that
// has processes, as KillMode=process leaves some, stays until they and the pod have ended.
func removeGroups(app, keep string) error {
	dirs, err := notedGroups()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			name, _, _ := strings.Cut(e.Name(), groupSeparator)
			if !e.IsDir() || name != app || e.Name() == keep {
				continue
			}
			err := os.Remove(filepath.Join(dir, e.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EBUSY) {
				return fmt.Errorf("remove control group: %w", err)
			}
		}
	}
	return nil
}

// isClosed reports whether a group of the controller "devices" has a list of those that it allows.
// To empty that would close them to whoever runs in it, for a moment.
func isClosed(dir string) bool {
	list, err := os.ReadFile(filepath.Join(dir, "devices.list"))
	return err == nil && !strings.HasPrefix(string(list), "a ")
}
