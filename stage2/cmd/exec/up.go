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

// awaitUp returns when the app has started for the first time, or never will.
func awaitUp(root int, app string) error {
	dir, bad := openUpDir(root)
	if bad.Failed() {
		return errors.New(bad.String())
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
