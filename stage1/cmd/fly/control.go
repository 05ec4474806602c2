package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

// startFile, in the pod's directory, holds when the pod's process was started, as
// the kernel counts it. Processes of the app's may outlive it, and with them the
// pod; its number may then be another's.
const startFile = "start"

// markProcess writes down which process is the pod.
func markProcess() error {
	start, err := startTime(os.Getpid())
	if err != nil {
		return err
	}
	if err := os.WriteFile(startFile, []byte(start), 0o644); err != nil {
		return err
	}
	return os.WriteFile(stageabi.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644)
}

// startTime is when a process was started, in ticks since the host's start
// (proc_pid_stat(5), field 22).
func startTime(pid int) (string, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return "", err
	}
	// The second field may hold anything, but its closing bracket is the last.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	return fields[19], nil
}

// process opens the pod's process.
func process() (pidfd, pid int, err error) {
	b, err := os.ReadFile(stageabi.PIDFile)
	if err != nil {
		return -1, 0, fmt.Errorf("the pod is not running: %w", err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil {
		return -1, 0, fmt.Errorf("%s: %w", stageabi.PIDFile, err)
	}
	pidfd, err = unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, 0, fmt.Errorf("the pod is not running: %w", err)
	}
	marked, err := os.ReadFile(startFile)
	start := ""
	if err == nil {
		start, err = startTime(pid)
	}
	if err == nil && start != string(marked) {
		err = errors.New("its process has ended, others of the app's have not")
	}
	if err != nil {
		return -1, 0, errors.Join(fmt.Errorf("the pod is not running: %w", err), unix.Close(pidfd))
	}
	return pidfd, pid, nil
}

// appProcess opens the pod's process once it is the app: before, it is in the host's root.
func appProcess() (pidfd int, p approot.Process, err error) {
	pidfd, pid, err := process()
	if err != nil {
		return -1, p, err
	}
	_, a, _, err := app()
	if err == nil {
		p, err = approot.OpenProcess(filepath.Join("/proc", strconv.Itoa(pid)))
	}
	if err == nil {
		// Its number is not another's as long as it has not ended.
		if err = unix.PidfdSendSignal(pidfd, 0, nil, 0); err == nil {
			err = p.AwaitApp(context.Background(), a.Name, approot.Starters{Root: "/", Programs: []string{"/proc/self/exe"}})
		}
	}
	if errors.Is(err, approot.ErrGone) || errors.Is(err, unix.ESRCH) {
		err = fmt.Errorf("the pod is not running: %w", approot.ErrGone)
	}
	if err != nil {
		return -1, p, errors.Join(err, unix.Close(pidfd))
	}
	return pidfd, p, nil
}

// stop asks the app to end and kills it when its time is over: stop [--force] UUID.
func stop(args []string) error {
	_, _, spec, err := app()
	if err != nil {
		return err
	}
	fd, _, err := process()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if len(args) > 0 && args[0] == "--force" {
		return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
	sig, timeout, err := appspec.StopBehaviour(spec)
	if err != nil {
		return err
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal the app: %w", err)
	}
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int(timeout.Milliseconds()))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n > 0 {
			return err
		}
		return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// status prints the state of the running pod.
func status(stdout io.Writer) error {
	_, a, _, err := app()
	if err != nil {
		return err
	}
	fd, pid, err := process()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	live := stageabi.LiveApp{State: "active", SubState: "running", Result: "success", PID: pid}
	if st, err := os.Stat(stageabi.PIDFile); err == nil {
		live.Started = st.ModTime()
	}
	return json.NewEncoder(stdout).Encode(stageabi.Live{Ready: true, Apps: map[string]stageabi.LiveApp{a.Name: live}})
}
