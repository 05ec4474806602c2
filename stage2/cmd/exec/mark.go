package main

import (
	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

// write writes what becomes of an app, as the options have it.
func write(root int, p bare.Process, o options) bare.Failure {
	switch {
	case o.record != "":
		return record(root, p, o)
	case o.done != "":
		return recordDone(root, o.done.Text())
	case o.up != "":
		return mark(root, o.up.Text(), upMark)
	case o.lost != "":
		return mark(root, o.lost.Text(), lostMark)
	}
	return bare.Failure{}
}

// writes reports whether write does all there is to do.
func (o options) writes() bool {
	return !o.inApp && (o.record != "" || o.done != "" || o.up != "" || o.lost != "")
}

// mark makes the file of an app in upDir.
func mark(root int, app, kind string) bare.Failure {
	dir, bad := openUpDir(root)
	if bad.Failed() {
		return bad
	}
	var file bare.Text
	file.Add(app)
	file.Add(kind)
	fd, errno := bare.OpenAt(dir, file.Str(), unix.O_CREAT|unix.O_WRONLY|unix.O_NOFOLLOW, 0o644)
	if errno == 0 {
		errno = bare.Close(fd)
	}
	bare.Close(dir)
	return bare.Check("make the mark of", app, errno)
}

// markStopped ends the wait for an app that was stopped before it was up; it is for an
// app that has ended well.
func markStopped(root int, app string) bare.Failure {
	if _, _, errno := bare.Modified(root, upDir+"\x00"); errno != 0 {
		return bare.Failure{} // nobody waits
	}
	return mark(root, app, lostMark)
}

func openUpDir(root int) (int, bare.Failure) {
	if errno := bare.MkdirAt(root, upDir+"\x00", 0o755); errno != 0 && errno != unix.EEXIST {
		return -1, bare.Check("make", upDir, errno)
	}
	dir, errno := bare.OpenAt(root, upDir+"\x00", pathFlags, 0)
	return dir, bare.Check("open", upDir, errno)
}

// recordDone records that the app has run to its end, and well: its unit, which stays
// active, says so only when the pod ends.
func recordDone(root int, app string) bare.Failure {
	sec, nsec, errno := bare.Now()
	if errno != 0 {
		return bare.Check("look at the time", "", errno)
	}
	var text, began bare.Text
	text.Add("result=success\ncode=exited\nstatus=0\n")
	startOf(&began, root, app)
	line(&text, "started=", began.Str().Text())
	text.Add("finished=")
	stamp(&text, sec, nsec)
	text.Add("\n")
	return replace(root, app, text.Bytes())
}
