package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
)

// unmountBelow detaches every mount below a directory, in the calling thread's mount namespace.
func unmountBelow(dir string) error {
	data, err := os.ReadFile("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	points := mountPoints(string(data), dir)
	slices.Reverse(points)
	for _, point := range points {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %q: %w", point, err)
		}
	}
	return nil
}

// mountPoints picks the mount points below a directory from a mountinfo file (proc_pid_mountinfo(5)), in its order.
func mountPoints(mountinfo, dir string) []string {
	var points []string
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		if len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			points = append(points, fields[4])
		}
	}
	return points
}
