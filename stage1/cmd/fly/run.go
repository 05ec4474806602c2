package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/capset"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/seccomp"
	"github.com/raket/raket/pkg/seccomp/program"
	"github.com/raket/raket/pkg/stageabi"
)

// runPod turns this process into the app: run --log=MODE UUID.
func runPod(args []string) (int, error) {
	if len(args) != 2 || !strings.HasPrefix(args[0], "--log=") {
		return 0, errors.New("run: want --log=MODE and the pod's UUID")
	}
	runtime.LockOSThread()
	syscall.Umask(0o022)
	s, a, spec, err := app()
	if err != nil {
		return 0, err
	}
	if s.UUID != args[1] {
		return 0, fmt.Errorf("the working directory is of pod %s, not of %s", s.UUID, args[1])
	}
	if s.Network.Mode != stageabi.NetHost {
		return 0, fmt.Errorf("fly shares the host's network: --net=%s is not to be had (use --net=host)", s.Network.Mode)
	}
	if s.Users != nil {
		return 0, errors.New("fly has no user namespace: --private-users is not to be had (run the pod without --stage1-name=fly)")
	}
	if err := supported(spec); err != nil {
		return 0, err
	}
	if l := spec.Linux; len(s.Resources) > 0 || l != nil && len(appspec.Controllers(l.Resources)) > 0 {
		fmt.Fprintf(os.Stderr, "raket: app %s: fly keeps no limits of memory, CPUs or processes\n", a.Name)
	}
	if n, err := appspec.NetworkBandwidth(spec); err != nil || n != 0 || s.NetworkBandwidth != 0 {
		fmt.Fprintf(os.Stderr, "raket: app %s: not limited as asked, by resource/network-bandwidth: the network is the host's\n", a.Name)
	}
	if len(s.Sysctls) > 0 {
		return 0, errors.New("fly shares the host's namespaces: kernel parameters would be the host's")
	}
	if err := checkSockets(s.Sockets); err != nil {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	if err := markProcess(); err != nil {
		return 0, err
	}
	if err := output(stageabi.LogMode(strings.TrimPrefix(args[0], "--log=")), a.Name); err != nil {
		return 0, fmt.Errorf("connect the app's output: %w", err)
	}
	if err := approot.ShareOutput(); err != nil {
		return 0, err
	}
	if err := enterRoot(dir, s, a, spec); err != nil {
		return stageabi.ExitNamespace, err
	}
	filter, err := callFilter(spec)
	if err != nil {
		return 0, err
	}
	if err := become(spec, filter != nil); err != nil {
		return stageabi.ExitNamespace, err
	}
	proc := spec.Process
	env, err := handSockets(proc.Env, s.Sockets)
	if err != nil {
		return stageabi.ExitNamespace, err
	}
	if filter != nil {
		err = filter.Exec(proc.Args[0], proc.Args, env)
	} else {
		err = syscall.Exec(proc.Args[0], proc.Args, env)
	}
	return stageabi.ExitExec, fmt.Errorf("execute %q: %w", proc.Args[0], err)
}

// supported refuses what only systemd could do for the app.
func supported(spec *appspec.Spec) error {
	masked, readOnly := appspec.ExtraPaths(spec)
	switch {
	case len(appspec.OwnDevices(spec)) > 0:
		return errors.New("fly gives an app all of the host's devices, and keeps it to none")
	case len(masked) > 0 || len(readOnly) > 0:
		return fmt.Errorf("fly hides and protects no paths: %s", strings.Join(append(masked, readOnly...), ", "))
	case spec.Process.ApparmorProfile != "" || spec.Process.SelinuxLabel != "" || spec.Linux != nil && spec.Linux.MountLabel != "":
		return errors.New("fly labels no app")
	case spec.Linux != nil && len(spec.Linux.Sysctl) > 0:
		return errors.New("fly shares the host's namespaces: kernel parameters would be the host's")
	}
	props, err := appspec.Properties(spec)
	if err != nil {
		return err
	}
	for _, p := range props {
		switch p.Name {
		case "KillSignal", "TimeoutStopSec", "Type":
		default:
			return fmt.Errorf("fly has no service manager for the app: %s= is not to be had (run it without --stage1-name=fly)", p.Name)
		}
	}
	l, err := appspec.LifeOf(spec)
	if err == nil && len(l.Timer) > 0 {
		err = errors.New("fly has no service manager for the app: it starts at no time but now (run it without --stage1-name=fly)")
	}
	return err
}

// enterRoot assembles the app's root, with the host's /proc, /sys and /dev, and
// makes it this thread's.
func enterRoot(dir string, s stageabi.Sandbox, a stageabi.App, spec *appspec.Spec) error {
	if err := approot.Isolate(); err != nil {
		return err
	}
	owner := func(string) (uid, gid int) { return int(spec.Process.User.UID), int(spec.Process.User.GID) }
	if err := approot.AttachCredentials(dir, owner); err != nil {
		return err
	}
	r := approot.ForApp(dir, s, a, spec)
	kernel := make([]approot.Bind, 0, 3+len(r.Binds))
	for _, d := range [...]string{"/proc", "/sys", "/dev"} {
		kernel = append(kernel, approot.Bind{Source: d, Target: d, Recursive: true, Devices: true})
	}
	r.Binds = append(kernel, r.Binds...)
	if err := os.MkdirAll(r.Target, 0o755); err != nil {
		return err
	}
	if err := r.Mount(); err != nil {
		return err
	}
	if spec.Root != nil && spec.Root.Readonly {
		if err := unix.MountSetattr(unix.AT_FDCWD, r.Target, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make the app's root read-only: %w", err)
		}
	}
	if err := unix.Chroot(r.Target); err != nil {
		return fmt.Errorf("enter the app's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Chdir(spec.Process.Cwd); err != nil {
		return fmt.Errorf("enter the working directory %q: %w", spec.Process.Cwd, err)
	}
	return nil
}

// callFilter is the app's system call filter; nil for none.
func callFilter(spec *appspec.Spec) (*program.Program, error) {
	if spec.Linux == nil || spec.Linux.Seccomp == nil {
		return nil, nil
	}
	p, err := seccomp.Compile(spec.Linux.Seccomp, runtime.GOARCH)
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: %w", err)
	}
	return &p, nil
}

// become gives this thread the app's limits, user and capabilities; the other
// threads end at execve. To load a filter, the thread keeps what it has until
// then.
func become(spec *appspec.Spec, filtered bool) error {
	proc := spec.Process
	for _, l := range proc.Rlimits {
		n, err := appspec.RlimitNumber(l.Type)
		if err != nil {
			return err
		}
		if err := unix.Prlimit(0, n, &unix.Rlimit{Cur: l.Soft, Max: l.Hard}, nil); err != nil {
			return fmt.Errorf("set %s: %w", l.Type, err)
		}
	}
	if adj := proc.OOMScoreAdj; adj != nil {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(strconv.Itoa(*adj)), 0); err != nil {
			return err
		}
	}
	var bounding, ambient uint64
	if c := proc.Capabilities; c != nil {
		bounding, ambient = capset.Mask(c.Bounding), capset.Mask(c.Ambient)
	}
	if proc.User.Umask != nil {
		unix.Umask(int(*proc.User.Umask))
	}
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := setUser(proc.User); err != nil {
		return fmt.Errorf("become the app's user: %w", err)
	}
	limit := capset.Limit
	if filtered {
		limit = capset.LimitNext
	}
	if err := limit(bounding, ambient); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	if proc.NoNewPrivileges {
		return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	}
	return nil
}

func setUser(u appspec.User) error {
	gids := make([]int, 0, len(u.AdditionalGids))
	for _, g := range u.AdditionalGids {
		gids = append(gids, int(g))
	}
	if err := syscall.Setgroups(gids); err != nil {
		return err
	}
	if err := syscall.Setresgid(int(u.GID), int(u.GID), int(u.GID)); err != nil {
		return err
	}
	return syscall.Setresuid(int(u.UID), int(u.UID), int(u.UID))
}

// output connects the app's standard streams.
func output(mode stageabi.LogMode, app string) error {
	place := stageabi.LogPlace{Mode: mode}
	if mode == stageabi.LogJournal {
		var err error
		if place.Unit, err = cgroup.Unit(); err != nil {
			return err
		}
	}
	if err := stageabi.WriteLogPlace(".", place); err != nil {
		return err
	}
	switch mode {
	case stageabi.LogJournal:
		c, err := net.Dial("unix", journalstream.SocketPath)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(c, journalstream.Header(app, place.Unit)); err != nil {
			return err
		}
		f, err := c.(*net.UnixConn).File()
		if err != nil {
			return err
		}
		return toOutput(f)
	case stageabi.LogFile:
		if err := os.Mkdir(stageabi.LogsDir, 0o755); err != nil && !os.IsExist(err) {
			return err
		}
		f, err := os.OpenFile(filepath.Join(".", stageabi.LogPath("", app)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		return toOutput(f)
	case stageabi.LogNone:
		f, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return toOutput(f)
	}
	return nil
}

// toOutput makes f the standard output and error, in blocking mode, as programs
// expect them.
func toOutput(f *os.File) error {
	fd := int(f.Fd())
	return errors.Join(unix.SetNonblock(fd, false), unix.Dup2(fd, 1), unix.Dup2(fd, 2), f.Close())
}
