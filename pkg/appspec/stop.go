package appspec

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultStopTimeout is how long an app has between its stop signal and SIGKILL
// where nothing says otherwise.
const DefaultStopTimeout = 10 * time.Second

// StopBehaviour returns what ends the app of a spec where no systemd does it: the
// signal of the property KillSignal (SIGTERM), and the time of TimeoutStopSec
// (DefaultStopTimeout), which has to be a number of seconds or of Go's units.
func StopBehaviour(spec *Spec) (syscall.Signal, time.Duration, error) {
	sig, timeout := unix.SIGTERM, DefaultStopTimeout
	if v, ok := spec.Annotations[PropertyPrefix+"KillSignal"]; ok {
		var err error
		if sig, err = SignalNumber(v); err != nil {
			return 0, 0, err
		}
	}
	if v, ok := spec.Annotations[PropertyPrefix+"TimeoutStopSec"]; ok {
		if strings.Trim(v, "0123456789.") == "" {
			v += "s"
		}
		d, err := time.ParseDuration(v)
		if err != nil || d <= 0 {
			return 0, 0, fmt.Errorf("property TimeoutStopSec: %q is not a time that can be kept without systemd", v)
		}
		timeout = d
	}
	return sig, timeout, nil
}

// RlimitNumber is the kernel's number (setrlimit(2), RLIMIT_*) of a limit as the
// runtime-spec names it.
func RlimitNumber(name string) (int, error) {
	// In the order of the numbers (include/uapi/asm-generic/resource.h).
	n := slices.Index([]string{
		"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING", "MSGQUEUE",
		"NICE", "RTPRIO", "RTTIME",
	}, strings.TrimPrefix(name, "RLIMIT_"))
	if n < 0 {
		return 0, fmt.Errorf("rlimit %q: no such limit", name)
	}
	return n, nil
}
