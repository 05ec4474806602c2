package stageabi

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// AppStatus is how an app's last run ended.
type AppStatus struct {
	Result   string // systemd's $SERVICE_RESULT: "success", "exit-code", "signal", "timeout" …
	Code     int    // exit status; 128 + signal for one killed by a signal
	Signal   string // "TERM", … if it was killed
	Started  time.Time
	Finished time.Time
	Runs     int // that have ended, this one included
}

// ReadAppStatus reads the status file of an app, lines KEY=VALUE: result, code
// ("exited", "killed", "dumped"), status (number, or name of a signal), started
// and finished (seconds.nanoseconds since 1970), runs. The error wraps
// fs.ErrNotExist for an app that has not ended.
func ReadAppStatus(pod, app string) (AppStatus, error) {
	f, err := os.Open(StatusPath(pod, app))
	if err != nil {
		return AppStatus{}, err
	}
	defer f.Close()
	s, err := ParseAppStatus(io.LimitReader(f, 64<<10))
	if err != nil {
		return s, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return s, nil
}

// ParseAppStatus reads what ReadAppStatus describes.
func ParseAppStatus(r io.Reader) (AppStatus, error) {
	var s AppStatus
	var code, status string
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		k, v, ok := strings.Cut(sc.Text(), "=")
		if !ok {
			return s, fmt.Errorf("line %q has no =", sc.Text())
		}
		var err error
		switch k {
		case "result":
			s.Result = v
		case "code":
			code = v
		case "status":
			status = v
		case "started":
			s.Started, err = parseStamp(v)
		case "finished":
			s.Finished, err = parseStamp(v)
		case "runs":
			s.Runs, err = strconv.Atoi(v)
		}
		if err != nil {
			return s, err
		}
	}
	if err := sc.Err(); err != nil {
		return s, err
	}
	switch code {
	case "exited":
		n, err := strconv.ParseUint(status, 10, 8)
		if err != nil {
			return s, fmt.Errorf("exit status %q is not a number from 0 to 255", status)
		}
		s.Code = int(n)
		if n == 0 && s.Result != "success" {
			s.Code = ExitCommand // it ended before it was ready, say
		}
	case "killed", "dumped":
		s.Signal = status
		s.Code = 128 + signalNumber(status)
	default:
		// Nothing was executed, or the start timed out.
		s.Code = ExitCommand
		if s.Result == "success" {
			s.Code = 0
		}
	}
	return s, nil
}

func parseStamp(v string) (time.Time, error) {
	sec, ns, ok := strings.Cut(v, ".")
	a, err1 := strconv.ParseInt(sec, 10, 64)
	b, err2 := strconv.ParseInt(ns, 10, 64)
	if !ok || err1 != nil || err2 != nil || b < 0 || b >= 1e9 {
		return time.Time{}, fmt.Errorf("time %q is not seconds.nanoseconds", v)
	}
	return time.Unix(a, b), nil
}

// signalNumber is the number of a signal by its name without SIG, or of a real-time
// signal's "RTMIN+3"; 0 if there is none.
func signalNumber(name string) int {
	if n, ok := strings.CutPrefix(name, "RTMIN"); ok {
		off, err := strconv.Atoi(strings.TrimPrefix(n, "+"))
		if err == nil && off >= 0 && off <= 30 {
			return 34 + off
		}
		if n == "" {
			return 34
		}
		return 0
	}
	return signals[name]
}

// signals is by systemd's names, which are the kernel's.
var signals = map[string]int{
	"HUP": int(syscall.SIGHUP), "INT": int(syscall.SIGINT), "QUIT": int(syscall.SIGQUIT), "ILL": int(syscall.SIGILL),
	"TRAP": int(syscall.SIGTRAP), "ABRT": int(syscall.SIGABRT), "BUS": int(syscall.SIGBUS), "FPE": int(syscall.SIGFPE),
	"KILL": int(syscall.SIGKILL), "USR1": int(syscall.SIGUSR1), "SEGV": int(syscall.SIGSEGV), "USR2": int(syscall.SIGUSR2),
	"PIPE": int(syscall.SIGPIPE), "ALRM": int(syscall.SIGALRM), "TERM": int(syscall.SIGTERM), "STKFLT": int(syscall.SIGSTKFLT),
	"CHLD": int(syscall.SIGCHLD), "CONT": int(syscall.SIGCONT), "STOP": int(syscall.SIGSTOP), "TSTP": int(syscall.SIGTSTP),
	"TTIN": int(syscall.SIGTTIN), "TTOU": int(syscall.SIGTTOU), "URG": int(syscall.SIGURG), "XCPU": int(syscall.SIGXCPU),
	"XFSZ": int(syscall.SIGXFSZ), "VTALRM": int(syscall.SIGVTALRM), "PROF": int(syscall.SIGPROF), "WINCH": int(syscall.SIGWINCH),
	"IO": int(syscall.SIGIO), "PWR": int(syscall.SIGPWR), "SYS": int(syscall.SIGSYS),
}

// Live is what the Status entrypoint prints of a running pod, as JSON.
type Live struct {
	Ready bool               `json:"ready"` // all apps have been started and have said so
	Apps  map[string]LiveApp `json:"apps"`
}

// LiveApp is the state of one app of a running pod, in systemd's words.
type LiveApp struct {
	State    string `json:"state"`    // "active", "activating", "failed", "inactive"
	SubState string `json:"subState"` // "running", "exited", "auto-restart", …
	Result   string `json:"result"`
	PID      int    `json:"pid"` // in the pod's PID namespace; 0 if it does not run
	Restarts int    `json:"restarts"`
	// StatusText is what the app said last of itself: STATUS= of sd_notify(3).
	StatusText string    `json:"statusText,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Finished   time.Time `json:"finished,omitzero"` // of the run before the present one, if it runs
	Code       *int      `json:"code,omitempty"`    // how that run ended; 128 + signal if killed
}
