package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/terminal"
)

// becomeName is this program as the child of enter that becomes the command.
const becomeName = "become"

// enter runs a command in the app. It becomes the command itself, unless that is to
// have a terminal, which somebody has to serve.
func enter(args []string) (int, error) {
	c, err := stageabi.ParseCommand(args)
	if err != nil {
		return 0, err
	}
	if !c.TTY {
		return joinApp(args)
	}
	_, p, err := appProcess()
	if err != nil {
		return 0, err
	}
	view, err := approot.OpenView(p.Dir() + "/root")
	if err != nil {
		return 0, err
	}
	pair, err := terminal.Open(view.Fd())
	if err != nil {
		return 0, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = append([]string{becomeName}, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pair.Slave, pair.Slave, pair.Slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	s := terminal.Session{Pair: &pair, Stdout: os.Stdout, Signal: func(sig syscall.Signal) { _ = cmd.Process.Signal(sig) }}
	if c.Stdin {
		s.Stdin = os.Stdin
	}
	// The child dies with the thread that starts it.
	runtime.LockOSThread()
	s.Catch()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	err = s.Begin()
	err = errors.Join(cmd.Wait(), err, s.End())
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

// joinApp becomes the command, in the app's control groups and root and, unless it is
// privileged, with the app's limits, user and capabilities.
func joinApp(args []string) (int, error) {
	c, err := stageabi.ParseCommand(args)
	if err != nil {
		return 0, err
	}
	_, _, spec, err := app()
	if err != nil {
		return 0, err
	}
	fd, app, err := appProcess()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread()
	view, err := approot.OpenView(app.Dir() + "/root")
	if err != nil {
		return 0, err
	}
	if err := setCommand(spec, c, view); err != nil {
		var missing *appspec.NotFoundError
		if errors.As(err, &missing) {
			return stageabi.ExitExec, err
		}
		return 0, err
	}
	if err := joinGroups(app.Dir() + "/cgroup"); err != nil {
		return stageabi.ExitNamespace, err
	}
	if !c.Stdin && !c.TTY {
		null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Dup2(null, 0)
		}
		if err != nil {
			return 0, err
		}
	}
	err = errors.Join(unix.Unshare(unix.CLONE_FS), unix.Setns(fd, unix.CLONE_NEWNS), unix.Fchdir(view.Fd()), unix.Chroot("."))
	if err != nil {
		return stageabi.ExitNamespace, fmt.Errorf("enter the app's root: %w", err)
	}
	if err := unix.Chdir(spec.Process.Cwd); err != nil {
		if c.WorkingDir != "" || unix.Chdir("/") != nil {
			return stageabi.ExitNamespace, fmt.Errorf("enter the working directory %q: %w", spec.Process.Cwd, err)
		}
	}
	// None of the caller's files but these goes along.
	if err := unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, err
	}
	return execute(spec, c.Privileged)
}

// setCommand changes the app's spec into that of the command.
func setCommand(spec *appspec.Spec, c stageabi.Command, view approot.View) error {
	p := spec.Process
	if c.Privileged {
		p.User = appspec.User{}
	}
	root, err := view.Resolver()
	if err != nil {
		return err
	}
	if c.User != "" || c.Group != "" {
		q := appspec.UserRequest{User: c.User, Group: c.Group, Owner: root.Owner}
		if c.User == "" {
			q.User = strconv.FormatUint(uint64(p.User.UID), 10)
		} else if p.Capabilities != nil {
			p.Capabilities.Ambient = nil
		}
		u, err := appspec.ResolveUser(root.Users, q)
		if err != nil {
			return err
		}
		u.Umask = p.User.Umask
		p.User = u.User
	}
	if term := os.Getenv("TERM"); term != "" && c.TTY {
		p.Env = setEnv(p.Env, "TERM="+term)
	}
	for _, e := range c.Env {
		p.Env = setEnv(p.Env, e)
	}
	if c.WorkingDir != "" {
		p.Cwd = c.WorkingDir
	}
	search, _ := appspec.LookupEnv(p.Env, "PATH")
	path, err := appspec.LookPath(search, root.Executable, c.Argv[0], p.Cwd)
	p.Args = append([]string{path}, c.Argv[1:]...)
	return err
}

// execute becomes what the spec says; privileged, with this process's own rights.
func execute(spec *appspec.Spec, privileged bool) (int, error) {
	p := spec.Process
	if err := approot.ShareOutput(); err != nil {
		return 0, err
	}
	run := syscall.Exec
	if privileged {
		if err := setUser(p.User); err != nil {
			return stageabi.ExitNamespace, fmt.Errorf("become the user: %w", err)
		}
	} else {
		filter, err := callFilter(spec)
		if err != nil {
			return 0, err
		}
		if filter != nil {
			run = filter.Exec
		}
		if err := become(spec, filter != nil); err != nil {
			return stageabi.ExitNamespace, err
		}
	}
	err := run(p.Args[0], p.Args, p.Env)
	return stageabi.ExitExec, fmt.Errorf("execute %q: %w", p.Args[0], err)
}

func setEnv(env []string, assignment string) []string {
	name, _, _ := strings.Cut(assignment, "=")
	env = slices.DeleteFunc(slices.Clone(env), func(e string) bool { return strings.HasPrefix(e, name+"=") })
	return append(env, assignment)
}

// joinGroups moves this thread, which becomes the command, where the app is.
func joinGroups(path string) error {
	text, err := os.Open(path)
	if err != nil {
		return err
	}
	defer text.Close()
	place, err := cgroup.OpenPlace(text)
	if err != nil {
		return err
	}
	if err := place.MoveThread(); err != nil {
		return err
	}
	if place.Procs != nil {
		if _, err := place.Procs.WriteString("0"); err != nil {
			return fmt.Errorf("join the app's control group: %w", err)
		}
	}
	return place.Close()
}
