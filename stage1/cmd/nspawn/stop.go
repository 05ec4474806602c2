package main

import (
	"errors"
	"fmt"
	"syscall"
)

// stop asks the pod to end, or ends it: stop [--force] UUID. It returns when the
// request is delivered.
func stop(args []string) error {
	force := len(args) > 0 && args[0] == "--force"
	if force {
		args = args[1:]
	}
	if len(args) != 1 {
		return fmt.Errorf("stop: want the pod's UUID, have %d arguments", len(args))
	}
	pid, err := leader()
	if err != nil {
		return err
	}
	// The pod's init: nspawn would take a second request for an order to kill.
	sig := syscall.Signal(sigRTMin + 3)
	if force {
		sig = syscall.SIGKILL
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal the pod's init: %w", err)
	}
	return nil
}

// sigRTMin is the first real-time signal as the C library counts them, and so
// systemd (systemd(1), "Signals": SIGRTMIN+3 starts halt.target).
const sigRTMin = 34
