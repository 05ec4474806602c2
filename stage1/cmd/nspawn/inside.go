package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
)

// The pod's systemd answers only processes of its own PID namespace, and a
// process changes that for its children alone. So whatever is asked of it is
// asked by a child of this program, under this name.
const queryName = "query"

// envLeader tells the child the host's PID of the pod's init.
const envLeader = "RAKET_LEADER"

// leader is the PID, on the host, of the pod's init: the child of nspawn.
func leader() (int, error) {
	b, err := os.ReadFile(stageabi.PIDFile)
	if err != nil {
		return 0, fmt.Errorf("the pod is not running: %w", err)
	}
	pid := strings.TrimSpace(string(b))
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return 0, fmt.Errorf("the pod is not running: %w", err)
	}
	for _, c := range strings.Fields(string(children)) {
		// nspawn's only child that is the first process of a PID namespace.
		status, err := os.ReadFile(filepath.Join("/proc", c, "status"))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) > 2 && f[0] == "NSpid:" && f[len(f)-1] == "1" {
				return strconv.Atoi(c)
			}
		}
	}
	return 0, errors.New("the pod has no init yet, or not any more")
}

// inPod runs this program under another name in the pod's PID namespace.
func inPod(name string, args []string, stdout io.Writer) (int, error) {
	pid, err := leader()
	if err != nil {
		return 0, err
	}
	if own, err := ownUsers(pid); err != nil {
		return 0, err
	} else if own {
		if err := joinProcesses(pid); err != nil {
			return 0, err
		}
		return asPodRoot(pid, append([]string{name}, args...), nil, stdout, nil)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{name}, args...)
	cmd.Stdin, cmd.Stdout = os.Stdin, stdout
	if err := startInPod(cmd, pid); err != nil {
		return 0, err
	}
	return exitCode(cmd.Wait())
}

// startInPod starts this program in the PID namespace of the pod whose init has the PID.
// The calling goroutine keeps its thread.
func startInPod(cmd *exec.Cmd, pid int) error {
	if err := joinProcesses(pid); err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), envLeader+"="+strconv.Itoa(pid))
	cmd.Stderr = os.Stderr
	return cmd.Start()
}

// joinProcesses has what this goroutine starts be in the pod's PID namespace. It keeps its
// thread.
func joinProcesses(pid int) error {
	runtime.LockOSThread()
	ns, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns/pid"))
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWPID); err != nil {
		return fmt.Errorf("join the pod's PID namespace: %w", err)
	}
	return nil
}

// exitCode is how a child ended, given Wait's error.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		ws, _ := exit.Sys().(syscall.WaitStatus)
		if ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return ws.ExitStatus(), nil
	}
	return 0, err
}

// join moves this thread into the pod's other namespaces.
func join() error {
	runtime.LockOSThread()
	pid := os.Getenv(envLeader)
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	var fds []int
	// The mount namespace last: the host's /proc goes with it.
	for _, ns := range [...]string{"cgroup", "ipc", "uts", "net", "mnt"} {
		// The network may be the host's, which no user namespace but that may join.
		if same, err := sameNamespace(ns, "/proc/"+pid); err != nil {
			return err
		} else if same {
			continue
		}
		fd, err := unix.Open(filepath.Join("/proc", pid, "ns", ns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	for _, fd := range fds {
		if err := unix.Setns(fd, 0); err != nil {
			return fmt.Errorf("join the pod's namespaces: %w", err)
		}
		_ = unix.Close(fd)
	}
	return nil
}

// What query is asked.
const (
	queryState = "state" // of the apps that are named; prints stageabi.Live
	queryMain  = "main"  // process of the app that is named; prints its ID
)

// query prints what the pod's systemd says of apps; it runs in the pod.
func query(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) == 0 {
		return errors.New("query: nothing asked")
	}
	what, apps := args[0], args[1:]
	if err := join(); err != nil {
		return err
	}
	m, err := sd.ConnectPrivate(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	if what == queryMain && len(apps) == 1 {
		u, err := m.Service(ctx, apps[0]+".service")
		if err == nil {
			_, err = fmt.Fprintln(stdout, u.MainPID)
		}
		return err
	}
	live := stageabi.Live{Apps: map[string]stageabi.LiveApp{}}
	state, err := m.State(ctx, "default.target")
	if err != nil {
		return err
	}
	live.Ready = state == "active"
	for _, a := range apps {
		u, err := m.Service(ctx, a+".service")
		if err != nil {
			return err
		}
		live.Apps[a] = liveApp(u)
	}
	return json.NewEncoder(stdout).Encode(live)
}

func liveApp(u sd.Service) stageabi.LiveApp {
	a := stageabi.LiveApp{
		State: u.Active, SubState: u.Sub, Result: u.Result, PID: u.MainPID, Restarts: u.Restarts, StatusText: u.StatusText,
		Started: u.Started, Finished: u.Finished,
	}
	switch u.Code {
	case 0: // not yet ended
	case 1:
		a.Code = &u.Status
	default:
		code := 128 + u.Status
		a.Code = &code
	}
	return a
}

// status prints the state of the running pod.
func status(ctx context.Context, args []string, stdout io.Writer) error {
	verify := len(args) > 0 && args[0] == "--verify"
	if verify {
		args = args[1:]
	}
	if len(args) != 1 {
		return fmt.Errorf("status: want the pod's UUID, have %d arguments", len(args))
	}
	if verify {
		if err := verifyNetworks(ctx, args[0]); err != nil {
			return err
		}
	}
	if _, err := leader(); err != nil {
		return err
	}
	s, err := stageabi.ReadSandbox(".")
	if err != nil {
		return err
	}
	ask := []string{queryState}
	for _, a := range s.Apps {
		ask = append(ask, a.Name)
	}
	code, err := inPod(queryName, ask, stdout)
	if err == nil && code != 0 {
		err = errSystemd
	}
	return err
}
