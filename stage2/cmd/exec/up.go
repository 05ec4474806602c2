package main

import (
	"errors"

	"golang.org/x/sys/unix"
)

// upDir, relative to the pod's root, has an empty file for each app that is waited for:
// APP.up from the first time on that the app has started, APP.lost when systemd has
// given it up. The pod's /run is in memory.
const upDir = "run/raket"

const (
	upMark   = ".up"
	lostMark = ".lost"
)

var errLost = errors.New("it has not started, and is not started again")

// mark makes the file of an app.
func mark(root int, file string) error {
	dir, err := openUpDir(root)
	if err != nil {
		return err
	}
	fd, err := unix.Openat(dir, file, unix.O_CREAT|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return wrap("make "+file, err)
	}
	return unix.Close(fd)
}

// markStopped ends the wait for an app that was stopped before it was up; it is for an
// app that has ended well.
func markStopped(root int, app string) error {
	var st unix.Stat_t
	if unix.Fstatat(root, upDir, &st, unix.AT_SYMLINK_NOFOLLOW) != nil {
		return nil // nobody waits
	}
	return mark(root, app+lostMark)
}

func openUpDir(root int) (int, error) {
	if err := unix.Mkdirat(root, upDir, 0o755); err != nil && !errors.Is(err, unix.EEXIST) {
		return -1, wrap("make "+upDir, err)
	}
	dir, err := unix.Openat(root, upDir, pathFlags, 0)
	return dir, wrap("open "+upDir, err)
}

// awaitUp returns when the app has started for the first time, or never will.
func awaitUp(root int, app string) error {
	dir, err := openUpDir(root)
	if err != nil {
		return err
	}
	events, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		return err
	}
	if _, err := unix.InotifyAddWatch(events, "/"+upDir, unix.IN_CREATE); err != nil {
		return wrap("watch "+upDir, err)
	}
	var buf [4096]byte
	for {
		var st unix.Stat_t
		if unix.Fstatat(dir, app+upMark, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			return nil
		}
		if unix.Fstatat(dir, app+lostMark, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			return errLost
		}
		if _, err := unix.Read(events, buf[:]); err != nil && !errors.Is(err, unix.EINTR) {
			return wrap("watch "+upDir, err)
		}
	}
}

// recordDone records that the app has run to its end, and well: its unit, which stays
// active, says so only when the pod ends.
func recordDone(root int, app string) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return err
	}
	text := "result=success\ncode=exited\nstatus=0\n"
	if t := startOf(root, app); t != "" {
		text += "started=" + t + "\n"
	}
	return replace(root, app, text+"finished="+stamp(now)+"\n")
}
