package main

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	statusDir = "/raket/status/"
	exitFile  = statusDir + ".exit"
	// Exit statuses that ask for the records, which the units and systemd use
	// (stage1/unitgen): after a failure, and after the end of all apps.
	afterFailure = 255
	afterAll     = 252
	// notStarted is the exit status for an app that failed without one of its own, or
	// whose record could not be written.
	notStarted = 254
)

func main() {
	code := exitCode(os.Args[1:])
	switch code {
	case 0:
		// systemd passes on the 0 of an app that failed all the same.
		if recordedCode(statusDir, 0, false) == notStarted {
			code = notStarted
		}
	case afterFailure:
		code = recordedCode(statusDir, notStarted, false)
	case afterAll:
		code = recordedCode(statusDir, 0, true)
	}
	// The time of this file is the time of the pod's end. It is not worth more
	// than the attempt: the status reaches whoever waits for the pod anyway.
	_ = os.WriteFile(exitFile, []byte(strconv.Itoa(code)+"\n"), 0o644)
	unix.Exit(code)
}

// exitCode finds "--exit-code=N" among systemd's arguments
// (systemd, src/core/main.c, become_shutdown).
func exitCode(args []string) int {
	for i, a := range args {
		v, ok := strings.CutPrefix(a, "--exit-code")
		if !ok {
			continue
		}
		if v == "" && i+1 < len(args) {
			v = args[i+1]
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(v, "=")); err == nil && n >= 0 && n <= 255 {
			return n
		}
	}
	return 0
}

// recordedCode is the exit status of the app that failed first, 128 and the
// signal's number if it was killed; code if no failure is recorded. HUP, INT,
// PIPE and TERM are no failures to systemd: where nobody stopped the apps, signals
// has them count.
func recordedCode(dir string, code int, signals bool) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return code
	}
	var first string
	for _, e := range entries {
		b, err := os.ReadFile(dir + e.Name())
		if err != nil || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		finished, c, killed, failed := parseRecord(string(b))
		// Stamps have a fixed form: seconds of ten digits, a dot, nine digits.
		if (failed || killed && signals) && (first == "" || finished < first) {
			first, code = finished, c
		}
	}
	return code
}

// parseRecord reads what exec -s wrote.
func parseRecord(text string) (finished string, code int, killed, failed bool) {
	var kind, status string
	for line := range strings.SplitSeq(text, "\n") {
		switch k, v, _ := strings.Cut(line, "="); k {
		case "result":
			failed = v != "success"
		case "code":
			kind = v
		case "status":
			status = v
		case "finished":
			finished = v
		}
	}
	switch kind {
	case "exited":
		if code, _ = strconv.Atoi(status); failed && code == 0 {
			code = notStarted // it ended before it was ready, or was too slow to stop
		}
	case "killed", "dumped":
		killed, code = true, 128+signalNumber(status)
	default:
		code = notStarted
	}
	return finished, code, killed, failed
}

// signalNumber is the number of a signal by systemd's name for it: without SIG,
// and a real-time one by its distance from the first that programs may use.
func signalNumber(name string) int {
	off, ok := strings.CutPrefix(name, "RTMIN")
	if !ok {
		return int(unix.SignalNum("SIG" + name))
	}
	n, _ := strconv.Atoi(strings.TrimPrefix(off, "+"))
	return 34 + n
}
