package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoDisk is of files that are on no block device of their own: in memory, on a network,
// or on a file system of several devices.
var ErrNoDisk = errors.New("the file system is on no single block device")

// Disk is the whole disk that path is on, for the limits that the kernel keeps of disks
// (Documentation/admin-guide/cgroup-v2.rst, "IO").
// It is a major and a minor number, and nil with an error.
func Disk(path string) (*[2]int64, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, &os.PathError{Op: "find the disk of", Path: path, Err: err}
	}
	major, minor, err := disk("/sys/dev/block", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err != nil {
		return nil, err
	}
	return &[2]int64{int64(major), int64(minor)}, nil
}

func disk(sys string, major, minor uint32) (uint32, uint32, error) {
	if major == 0 {
		return 0, 0, ErrNoDisk
	}
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("%s/%d:%d", sys, major, minor))
	if err != nil {
		return 0, 0, fmt.Errorf("find disk %d:%d: %w", major, minor, err)
	}
	if _, err := os.Stat(dir + "/partition"); err != nil {
		return major, minor, nil // it is one
	}
	text, err := os.ReadFile(filepath.Dir(dir) + "/dev")
	if err != nil {
		return 0, 0, fmt.Errorf("find the disk of partition %d:%d: %w", major, minor, err)
	}
	if n, _ := fmt.Sscanf(strings.TrimSpace(string(text)), "%d:%d", &major, &minor); n != 2 {
		return 0, 0, fmt.Errorf("find the disk of a partition: %q is no device", text)
	}
	return major, minor, nil
}
