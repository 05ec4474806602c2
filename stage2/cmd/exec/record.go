package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Relative to the pod's root: statusDir is where the ends of apps are written, a
// directory of the pod's on the host's disk; in unitsDir systemd keeps notes on
// its units.
const (
	statusDir = "raket/status"
	unitsDir  = "run/systemd/units"
)

const pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC

// openPodRoot opens the pod's root: that of this process or, where systemd has
// entered an app's root, that of process 1, by a view of the processes that is
// mounted nowhere.
func openPodRoot(inApp bool) (int, error) {
	if !inApp {
		return unix.Open("/", pathFlags, 0)
	}
	fs, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	proc, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, wrap("look at the pod's processes", err)
	}
	return unix.Openat(proc, "1/root", pathFlags, 0)
}

// record writes below root, a directory, how the app's last run ended, as systemd tells the commands of
// ExecStopPost= (systemd.exec, "$EXIT_CODE, $EXIT_STATUS"): a file of lines
// KEY=VALUE, replaced in one step.
//
//	result=exit-code     $SERVICE_RESULT
//	code=exited          exited, killed, dumped; absent if nothing was executed
//	status=7             the exit status or, of killed and dumped, the signal's name
//	started=1700000000.000000000
//	finished=1700000001.000000000
//	runs=1               how many runs of the app have ended
//	oom-kills=1          of a control group of the legacy hierarchy: how often the
//	                     kernel has killed in it
func record(root int, app string) error {
	// Names with dots are this directory's own.
	if strings.ContainsAny(app, "/.\n") {
		return errors.New("not an app's name")
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &now); err != nil {
		return err
	}
	var b strings.Builder
	line := func(k, v string) {
		if v != "" {
			b.WriteString(k + "=" + v + "\n")
		}
	}
	result := os.Getenv("SERVICE_RESULT")
	// On the unified hierarchy systemd finds this out itself.
	kills := oomKills(root, app)
	if kills != "" && kills != lastOOMKills(root, app) && result != "success" {
		result = "oom-kill"
	}
	line("result", result)
	line("code", os.Getenv("EXIT_CODE"))
	line("status", os.Getenv("EXIT_STATUS"))
	started := startOf(root, app)
	if old := readAt(root, statusDir+"/"+app); result == "success" && started != "" && value(old, "started=") == started {
		return nil // recorded at its end
	}
	line("started", started)
	line("finished", stamp(now))
	runs, _ := strconv.Atoi(value(readAt(root, statusDir+"/"+app), "runs="))
	line("runs", strconv.Itoa(runs+1))
	line("oom-kills", kills)
	if err := replace(root, app, b.String()); err != nil {
		return err
	}
	if result == "success" {
		return markStopped(root, app)
	}
	if msg := complaint(app, result, os.Getenv("EXIT_CODE"), os.Getenv("EXIT_STATUS")); msg != "" {
		_, _ = unix.Write(2, []byte("raket: "+msg+"\n"))
	}
	return nil
}

// startOf is when the app's present or last run began, "" if that is not known: systemd
// makes a link at the start of each.
func startOf(root int, app string) string {
	var st unix.Stat_t
	if err := unix.Fstatat(root, unitsDir+"/invocation:"+app+".service", &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return ""
	}
	return stamp(st.Mtim)
}

// replace writes the app's file, which its readers see whole or not at all.
func replace(root int, app, text string) error {
	dir, err := unix.Openat(root, statusDir, pathFlags, 0)
	if err != nil {
		return wrap("open "+statusDir, err)
	}
	tmp := ".new-" + app
	fd, err := unix.Openat(dir, tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return wrap("open "+tmp, err)
	}
	if _, err := unix.Write(fd, []byte(text)); err != nil { // some hundred bytes: all or nothing
		return wrap("write "+tmp, err)
	}
	return unix.Renameat(dir, tmp, dir, app)
}

// complaint says how an app failed, among the app's own last words: systemd in
// the pod has nowhere to say it. It is empty for one that did not fail.
func complaint(app, result, code, status string) string {
	if result == "success" {
		return ""
	}
	msg := "app " + app
	switch code {
	case "exited":
		msg += " exited with status " + status
	case "killed", "dumped":
		msg += " was killed by SIG" + status
	default:
		msg += " was not started"
	}
	switch result {
	case "exit-code", "signal", "core-dump":
	default:
		msg += " (" + result + ")"
	}
	return msg
}

func stamp(t unix.Timespec) string {
	ns := strconv.FormatInt(t.Nsec, 10)
	return strconv.FormatInt(t.Sec, 10) + "." + "000000000"[len(ns):] + ns
}
