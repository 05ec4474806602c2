package appspec

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel's real-time signals, less the two the C library keeps.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// SignalNumber reads a signal as images and flags write them.
func SignalNumber(s string) (unix.Signal, error) {
	name, err := parseSignal(s)
	if err != nil {
		return 0, err
	}
	if offset, ok := strings.CutPrefix(name, "SIGRTMIN"); ok {
		n, _ := strconv.Atoi(strings.TrimPrefix(offset, "+")) // 0 without one
		return unix.Signal(sigRTMin + n), nil
	}
	return unix.SignalNum(name), nil
}

// parseSignal reads a signal as images and flags write them (SIGQUIT, quit, 3,
// SIGRTMIN+3, RTMAX-1) and returns the form systemd takes.
func parseSignal(s string) (string, error) {
	name := strings.ToUpper(s)
	if isNumber(name) {
		n, err := strconv.Atoi(name)
		if err != nil {
			return "", fmt.Errorf("signal %q: no such signal", s)
		}
		return signalName(s, n)
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	for base, number := range map[string]int{"SIGRTMIN": sigRTMin, "SIGRTMAX": sigRTMax} {
		rest, ok := strings.CutPrefix(name, base)
		if !ok {
			continue
		}
		offset := 0
		if rest != "" {
			var err error
			// A bare number without its sign is no offset.
			if offset, err = strconv.Atoi(rest); err != nil || isNumber(rest) {
				return "", fmt.Errorf("signal %q: no such signal", s)
			}
		}
		if number += offset; number < sigRTMin || number > sigRTMax {
			return "", fmt.Errorf("signal %q: no such signal", s)
		}
		return signalName(s, number)
	}
	n := unix.SignalNum(name)
	if n == 0 {
		return "", fmt.Errorf("signal %q: no such signal", s)
	}
	return signalName(s, int(n))
}

func signalName(s string, n int) (string, error) {
	if n == sigRTMin {
		return "SIGRTMIN", nil
	}
	if n > sigRTMin && n <= sigRTMax {
		return "SIGRTMIN+" + strconv.Itoa(n-sigRTMin), nil
	}
	if name := unix.SignalName(unix.Signal(n)); n > 0 && name != "" {
		return name, nil
	}
	return "", fmt.Errorf("signal %q: no such signal", s)
}
