package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	"github.com/raket/raket/stage1/podfilter"
	"github.com/raket/raket/stage1/unitgen"
)

// enter runs a command in an app of the running pod and returns its exit status. This
// process stays on the host; what becomes the command has stage2's join beside it in
// the pod (docs/adr/0011-exec.md).
func enter(args []string) (int, error) {
	c, err := stageabi.ParseCommand(args)
	if err != nil {
		return 0, err
	}
	e, err := newEntry(c)
	if err != nil {
		return 0, err
	}
	options, argv, err := e.plan()
	var missing *appspec.NotFoundError
	if errors.As(err, &missing) {
		return stageabi.ExitExec, fmt.Errorf("app %s: %w", c.App, err)
	}
	if err != nil {
		return 0, err
	}
	return e.run(options, argv)
}

// entry is a command that is about to enter an app.
type entry struct {
	stageabi.Command
	spec    *appspec.Spec
	sandbox stageabi.Sandbox
	leader  int
	app     place // zero where the app does not run
	pod     place
	root    approot.View // the app's; of one that does not run, without what is mounted at its start
	files   []*os.File   // for join, from descriptor 3 on
	env     []string
	uid     int // the owner of the terminal
	session terminal.Session
}

// joinPath is stage2's helper in the pod's root.
const joinPath = "/raket/bin/join"

func newEntry(c stageabi.Command) (*entry, error) {
	e := &entry{Command: c}
	if err := e.find(); err != nil {
		return nil, err
	}
	var err error
	if e.spec, err = approot.ReadSpec(".", c.App); err != nil {
		return nil, err
	}
	if err := addMetadataURL(e.sandbox, e.spec); err != nil {
		return nil, err
	}
	if e.app.dir == "" {
		if !c.Privileged {
			return nil, fmt.Errorf("app %s does not run; --privileged (or raket enter) runs a command in its files all the same", c.App)
		}
		e.root, err = approot.OpenView(e.pod.dir + "/root" + unitgen.AppsPath + "/" + c.App + "/rootfs")
		return e, err
	}
	e.root, err = approot.OpenView(e.app.dir + "/root")
	return e, err
}

// find finds the pod and the app's main process.
func (e *entry) find() (err error) {
	if e.leader, err = leader(); err != nil {
		return err
	}
	if e.sandbox, err = stageabi.ReadSandbox("."); err != nil {
		return err
	}
	e.pod = place{dir: "/proc/" + strconv.Itoa(e.leader), pid: 1}
	return e.findApp()
}

// mainPID asks the pod's systemd for an app's main process, by the pod's number; 0 if
// there is none. It asks through a process that is small: each command pays for it.
func (e *entry) mainPID() (int, error) {
	var out strings.Builder
	own, err := ownUsers(e.leader)
	if err != nil {
		return 0, err
	}
	if own {
		code, err := inPod(queryName, []string{queryMain, e.App}, &out)
		if err == nil && code != 0 {
			err = errSystemd
		}
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(out.String()))
	}
	if err := joinProcesses(e.leader); err != nil {
		return 0, err
	}
	cmd := exec.Command(filepath.Join(e.sandbox.Stage1.Dir, "rootfs", "bin", "exec"), "-M", e.App)
	cmd.Dir = "/proc/" + strconv.Itoa(e.leader) + "/root"
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{}, &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%w: %w", errSystemd, err)
	}
	return strconv.Atoi(strings.TrimSpace(out.String()))
}

var errSystemd = errors.New("the pod's systemd did not answer")

// plan says how join is to run the command.
func (e *entry) plan() (options, argv []string, err error) {
	user, err := e.resolve()
	if err != nil {
		return nil, nil, err
	}
	argv = e.Argv
	if argv[0], err = e.program(); err != nil {
		return nil, nil, err
	}
	e.files = append(e.files, nil) // descriptor 3, made later
	options = []string{"-u", id(user.UID), "-g", id(user.GID)}
	groups := user.AdditionalGids
	if user.UID != 0 || user.GID != 0 {
		groups = append(slices.Clone(groups), user.GID) // as initgroups(3) has it, which systemd calls
	}
	slices.Sort(groups)
	for _, g := range slices.Compact(groups) {
		options = append(options, "-G", id(g))
	}
	from := e.app
	if e.app.dir == "" {
		// The last step makes the root, as at the app's start, and takes the place of
		// join there.
		argv = append([]string{unitgen.ExecPath, "-R", unitgen.AppsPath + "/" + e.App + "/rootfs", "-w", e.workDir(), "--"}, argv...)
		from = e.pod
	} else {
		options = append(options, "-r", e.pass(os.NewFile(uintptr(e.root.Fd()), "root")), "-w", e.workDir())
		if e.WorkingDir == "" {
			options = append(options, "-d")
		}
	}
	places, err := e.groups(from)
	if err != nil {
		return nil, nil, err
	}
	spaces, err := e.namespaces(from)
	if err != nil {
		return nil, nil, err
	}
	confined, err := e.confine()
	if err != nil {
		return nil, nil, err
	}
	options = append(append(append(options, places...), spaces...), confined...)
	if e.TTY {
		options = append(options, "-T")
		e.uid = int(user.UID)
	}
	return append(options, "-m", strconv.Itoa(from.pid)), argv, nil
}

func id(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func (e *entry) workDir() string {
	if e.WorkingDir != "" {
		return e.WorkingDir
	}
	return e.spec.Process.Cwd
}

// pass gives join a file and returns its number there.
func (e *entry) pass(f *os.File) string {
	e.files = append(e.files, f)
	return strconv.Itoa(len(e.files) + 2)
}

// resolve finds the user by the app's own files.
func (e *entry) resolve() (appspec.User, error) {
	switch {
	case e.User != "" || e.Group != "":
	case e.Privileged:
		return appspec.User{}, nil
	default:
		return e.spec.Process.User, nil
	}
	r, err := e.root.Resolver()
	if err != nil {
		return appspec.User{}, err
	}
	q := appspec.UserRequest{User: e.User, Group: e.Group, Owner: e.owner(r.Owner)}
	if e.User == "" && !e.Privileged {
		q.User = id(e.spec.Process.User.UID)
	}
	u, err := appspec.ResolveUser(r.Users, q)
	return u.User, err
}

// program finds the command's program in the app's root, and completes its
// environment.
func (e *entry) program() (string, error) {
	e.env = append([]string(nil), e.spec.Process.Env...)
	if term := os.Getenv("TERM"); term != "" && e.TTY {
		e.env = append(e.env, "TERM="+term)
	}
	e.env = append(e.env, e.Env...)
	search, _ := appspec.LookupEnv(e.env, "PATH")
	return appspec.LookPath(search, e.root.Executable, e.Argv[0], e.workDir())
}

func (e *entry) groups(from place) ([]string, error) {
	p, err := openPlace(from.dir + "/cgroup")
	if err != nil {
		return nil, err
	}
	var options []string
	for _, t := range p.Tasks {
		options = append(options, "-t", e.pass(t))
	}
	if p.Dir != nil {
		options = append(options, "-c", e.pass(p.Dir), "-p", e.pass(p.Procs))
	}
	return options, nil
}

func (e *entry) namespaces(from place) ([]string, error) {
	if err := from.sameUserNamespace(e.pod); err != nil {
		return nil, fmt.Errorf("app %s: %w", e.App, err)
	}
	kinds := [][2]string{{"-N", "cgroup"}, {"-N", "ipc"}, {"-N", "uts"}, {"-N", "net"}, {"-N", "mnt"}} // the mount namespace last
	if e.sandbox.Users != nil {
		// The network may be one of the host's, which nobody can join from the pod's users.
		kinds = [][2]string{{"-U", "user"}, {"-E", "net"}, {"-N", "cgroup"}, {"-N", "ipc"}, {"-N", "uts"}, {"-N", "mnt"}}
	}
	var options []string
	for _, kind := range kinds {
		f, err := os.Open(filepath.Join(from.dir, "ns", kind[1]))
		if err != nil {
			return nil, err
		}
		options = append(options, kind[0], e.pass(f))
	}
	return options, nil
}

// run executes the command and waits for it.
func (e *entry) run(options, argv []string) (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	e.files[0] = r
	cmd := exec.Command(joinPath)
	cmd.Args = append(append(append([]string{"join"}, options...), "--"), argv...)
	cmd.Env, cmd.ExtraFiles, cmd.Dir = e.env, e.files, "/"
	if err := e.streams(cmd); err != nil {
		return 0, err
	}
	e.session.Signal = func(sig syscall.Signal) { _, _ = w.Write([]byte{byte(sig)}) }
	e.session.Catch()
	if err := e.start(cmd); err != nil {
		return 0, fmt.Errorf("start the command: %w", err)
	}
	for _, f := range e.files {
		_ = f.Close()
	}
	err = e.session.Begin()
	err = errors.Join(cmd.Wait(), err, e.session.End())
	runtime.KeepAlive(w)
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

// start starts join as a process of the pod's: in its process IDs, its mounts, which is
// where the program is and where no app can change it, and the control groups of its
// init. A caller's group that is killed as a whole must not take join with it before
// the rest.
func (e *entry) start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	own, err := openPlace("/proc/thread-self/cgroup")
	if err != nil {
		return err
	}
	pod, err := openPlace(e.pod.dir + "/cgroup")
	if err != nil {
		return errors.Join(err, own.Close())
	}
	defer func() { _, _ = own.Close(), pod.Close() }()
	if err := e.joinPod(); err != nil {
		return err
	}
	// Away from the caller's terminal: its signals come by way of this process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if pod.Dir != nil {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(pod.Dir.Fd())
	}
	// Of the legacy hierarchies it inherits this thread's.
	if err := pod.MoveThread(); err != nil {
		return err
	}
	return errors.Join(cmd.Start(), own.MoveThread())
}

func openPlace(path string) (cgroup.Place, error) {
	text, err := os.Open(path)
	if err != nil {
		return cgroup.Place{}, err
	}
	defer text.Close()
	return cgroup.OpenPlace(text)
}

// streams connects the command: to the caller's own files, or to a terminal.
func (e *entry) streams(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if e.Stdin {
		cmd.Stdin = os.Stdin
	}
	if !e.TTY {
		return approot.ShareOutput()
	}
	view := e.root
	if e.app.dir == "" {
		var err error
		if view, err = approot.OpenView(e.pod.dir + "/root"); err != nil {
			return err
		}
	}
	pair, err := terminal.Open(view.Fd())
	if err != nil {
		return err
	}
	if err := pair.SetOwner(e.uid + e.sandbox.Users.First()); err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = pair.Slave, pair.Slave, pair.Slave
	e.session.Pair, e.session.Stdout = &pair, os.Stdout
	if e.Stdin {
		e.session.Stdin = os.Stdin
	}
	return nil
}

// joinPod moves this thread into the pod's mount namespace, and under its system call
// filter. Where nspawn made that, its own is the same or stricter.
func (e *entry) joinPod() error {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	ns, err := os.Open(e.pod.dir + "/ns/mnt")
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("join the pod's mount namespace: %w", err)
	}
	if e.sandbox.Insecure.Seccomp {
		return nil
	}
	err = podfilter.Install()
	if err != nil && !podfilter.Available(nil) {
		return nil
	}
	return err
}
