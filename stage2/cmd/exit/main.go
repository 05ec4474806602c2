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
	// killedStatus is systemd's exit status for an app that a signal killed.
	killedStatus = 255
)

func main() {
	code := exitCode(os.Args[1:])
	if code == killedStatus {
		code = signalCode(statusDir, code)
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

// signalCode is 128 and the signal that killed the app which ended last, as a
// shell has it, or code if none was killed.
func signalCode(dir string, code int) int {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return code
	}
	var newest int64
	for _, e := range entries {
		b, err := os.ReadFile(dir + e.Name())
		if err != nil {
			continue
		}
		var killed bool
		var signal string
		for line := range strings.SplitSeq(string(b), "\n") {
			switch k, v, _ := strings.Cut(line, "="); k {
			case "code":
				killed = v == "killed" || v == "dumped"
			case "status":
				signal = v
			}
		}
		st, err := e.Info()
		if err != nil || !killed || st.ModTime().UnixNano() < newest {
			continue
		}
		// TERM is how the other apps of a failing pod end.
		if n := unix.SignalNum("SIG" + signal); n != 0 && (n != unix.SIGTERM || newest == 0) {
			newest, code = st.ModTime().UnixNano(), 128+int(n)
		}
	}
	return code
}
