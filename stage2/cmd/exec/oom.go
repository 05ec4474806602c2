package main

import (
	"strings"

	"golang.org/x/sys/unix"
)

// groupsDir, relative to the pod's root, has the pod's groups of the legacy
// hierarchies by controller.
const groupsDir = "raket/groups"

// oomKills is how often the kernel has killed in the app's group for lack of memory,
// a decimal number; "" where the app has no such group.
func oomKills(root int, app string) string {
	return value(readAt(root, groupsDir+"/memory/"+app+"/memory.oom_control"), "oom_kill ")
}

// lastOOMKills is what oomKills was when the app's run before this one ended; "0" if
// there was none.
func lastOOMKills(root int, app string) string {
	if n := value(readAt(root, statusDir+"/"+app), "oom-kills="); n != "" {
		return n
	}
	return "0"
}

// value is the rest of the line that begins with key.
func value(text, key string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if v, ok := strings.CutPrefix(line, key); ok {
			return v
		}
	}
	return ""
}

// readAt reads the beginning of a small file; "" if it cannot.
func readAt(dir int, path string) string {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	var buf [1024]byte
	n, err := unix.Read(fd, buf[:])
	_ = unix.Close(fd)
	if err != nil {
		return ""
	}
	return string(buf[:n])
}
