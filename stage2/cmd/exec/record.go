package main

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// statusDir is where, in the pod's root, the ends of apps are written; it is a
// directory of the pod's on the host's disk.
const statusDir = "/raket/status/"

// record writes into dir how the app's last run ended, as systemd tells the commands of
// ExecStopPost= (systemd.exec, "$EXIT_CODE, $EXIT_STATUS"): a file of lines
// KEY=VALUE, replaced in one step.
//
//	result=exit-code     $SERVICE_RESULT
//	code=exited          exited, killed, dumped; absent if nothing was executed
//	status=7             the exit status or, of killed and dumped, the signal's name
//	started=1700000000.000000000
//	finished=1700000001.000000000
func record(dir, app string) error {
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
	line("result", os.Getenv("SERVICE_RESULT"))
	line("code", os.Getenv("EXIT_CODE"))
	line("status", os.Getenv("EXIT_STATUS"))
	// systemd makes this link at the start of each run of the unit.
	var st unix.Stat_t
	if err := unix.Lstat("/run/systemd/units/invocation:"+app+".service", &st); err == nil {
		line("started", stamp(st.Mtim))
	}
	line("finished", stamp(now))
	tmp := dir + ".new-" + app
	if err := os.WriteFile(tmp, []byte(b.String()), 0o644); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir+app); err != nil {
		return err
	}
	if msg := complaint(app, os.Getenv("SERVICE_RESULT"), os.Getenv("EXIT_CODE"), os.Getenv("EXIT_STATUS")); msg != "" {
		_, _ = unix.Write(2, []byte("raket: "+msg+"\n"))
	}
	return nil
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
