package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/stage1/unitgen"
)

// enter runs a command in an app of the running pod: enter UUID APP COMMAND
// [ARG]... It returns the command's exit status.
func enter(args []string) (int, error) {
	if len(args) < 3 {
		return 0, fmt.Errorf("enter: want UUID, APP and a command, have %d arguments", len(args))
	}
	return inPod(shellName, args[1:], os.Stdout)
}

// shell becomes the command, in the pod: in the namespace that the app runs
// in or, if it does not run, in a new view of its root.
func shell(ctx context.Context, args []string) error {
	app, argv := args[0], args[1:]
	spec, err := approot.ReadSpec(".", app)
	if err != nil {
		return err
	}
	env := approot.CommandEnv(spec)
	if err := join(); err != nil {
		return err
	}
	m, err := sd.ConnectPrivate(ctx)
	if err != nil {
		return err
	}
	u, err := m.Service(ctx, app+".service")
	m.Close()
	if err != nil {
		return err
	}
	if u.MainPID == 0 {
		argv = append([]string{unitgen.ExecPath, "-R", filepath.Join(unitgen.AppsPath, app, "rootfs"), "-w", spec.Process.Cwd, "--"}, argv...)
		return fmt.Errorf("execute %s: %w", argv[0], syscall.Exec(argv[0], argv, env))
	}
	ns, err := unix.Open(filepath.Join("/proc", strconv.Itoa(u.MainPID), "ns/mnt"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("join the app's mount namespace: %w", err)
	}
	if err := unix.Chdir(spec.Process.Cwd); err != nil {
		_ = unix.Chdir("/")
	}
	path, err := approot.LookPath(env, argv[0])
	if err != nil {
		return err
	}
	err = syscall.Exec(path, argv, env)
	return fmt.Errorf("execute %q in app %s: %w", argv[0], app, err)
}

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
