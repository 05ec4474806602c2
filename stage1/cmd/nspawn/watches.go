package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// watchesToStart is how many inotify instances a pod's systemd (252 to 257) has at a time
// while it starts, and one for a program of the pod's that waits; it keeps three.
const watchesToStart = 6

const watchesLimit = "/proc/sys/fs/inotify/max_user_instances"

// checkWatches refuses a pod for whose init the host has too few inotify instances left:
// systemd ends then, or never is ready, without a word. open makes one.
func checkWatches(open func() (int, error)) error {
	for range watchesToStart {
		fd, err := open()
		if errors.Is(err, unix.EMFILE) {
			limit, _ := os.ReadFile(watchesLimit)
			return fmt.Errorf("too few inotify instances are left for a pod, which takes %d to start and keeps 3: raise the host's sysctl fs.inotify.max_user_instances, which is %s", watchesToStart, strings.TrimSpace(string(limit)))
		}
		if err != nil {
			return fmt.Errorf("make an inotify instance: %w", err)
		}
		defer unix.Close(fd)
	}
	return nil
}

func openWatch() (int, error) { return unix.InotifyInit1(unix.IN_CLOEXEC) }
