package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// result is what came of a check; asked is false where there was nobody to ask.
type result struct {
	asked  bool
	exit   int
	output string
}

const joinPath = "/raket/bin/join"

// controlGroups are where hierarchies of control groups may be in which systemd has the
// units.
var controlGroups = [...]string{"/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified"}

const unitsGroup = "/system.slice/"

// groupFiles are the cgroup.procs files of the app.
func groupFiles(app string) []string {
	var files []string
	for _, dir := range controlGroups {
		file := dir + unitsGroup + app + ".service/cgroup.procs"
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// mainProcess is a process of the app: its main one where that is known and there.
func mainProcess(app string, known int) (int, error) {
	first := 0
	for _, file := range groupFiles(app) {
		text, err := os.ReadFile(file)
		if err != nil {
			return 0, err
		}
		for line := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(line)
			if err != nil || pid == 0 {
				continue
			}
			if pid == known {
				return pid, nil
			}
			if first == 0 {
				first = pid
			}
		}
	}
	if first == 0 {
		return 0, errors.New("it has no process")
	}
	return first, nil
}

// check executes the command in the app. The error is about the way there.
func (o options) check(r record) (result, error) {
	pid, err := mainProcess(o.app, r.main)
	if err != nil {
		return result{}, nil // it ends, or starts
	}
	files, args, err := o.enter(pid)
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	if err != nil || files == nil {
		return result{}, err
	}
	argv := append(append([]string{"join", "-C"}, args...), o.join...)
	return execute(argv, files, o.timeout)
}

// firstFD is the number of the first of files in join; 3 is its caller's, and not used
// here.
const firstFD = 4

// enter opens what join needs of a process of the app. Without an error and without
// files the process is not yet the app.
func (o options) enter(pid int) (files []*os.File, args []string, err error) {
	// Held, its directory is never that of another process.
	held, err := os.OpenFile("/proc/"+strconv.Itoa(pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, ifGone(err)
	}
	defer held.Close()
	dir := "/proc/self/fd/" + strconv.Itoa(int(held.Fd()))
	if starts, err := isStarter(dir); starts || err != nil {
		return nil, nil, ifGone(err)
	}
	open := func(option, path string, flags int) {
		if err != nil {
			return
		}
		var f *os.File
		if f, err = os.OpenFile(path, flags|unix.O_CLOEXEC, 0); err == nil {
			args = append(args, option, strconv.Itoa(firstFD+len(files)))
			files = append(files, f)
		}
	}
	open("-r", dir+"/root", unix.O_PATH|unix.O_DIRECTORY)
	if err != nil {
		return nil, nil, ifGone(err)
	}
	var app, pod unix.Stat_t
	if err = errors.Join(unix.Fstat(int(files[0].Fd()), &app), unix.Stat("/", &pod)); err != nil {
		return files, nil, err
	}
	if app.Dev == pod.Dev && app.Ino == pod.Ino {
		return nil, nil, files[0].Close()
	}
	// The mount namespace last.
	for _, ns := range [...]string{"cgroup", "ipc", "uts", "net", "mnt"} {
		open("-N", dir+"/ns/"+ns, os.O_RDONLY)
	}
	for _, file := range append(groupFiles(o.app), o.groups...) {
		open("-t", file, os.O_WRONLY)
	}
	if err != nil {
		return files, nil, ifGone(err)
	}
	args = append(args, "-m", strconv.Itoa(pid))
	if o.mainCapabilities {
		for option, key := range map[string]string{"-b": "CapBnd", "-a": "CapAmb"} {
			mask, err := statusLine(dir, key)
			if err != nil {
				return files, nil, ifGone(err)
			}
			args = append(args, option, mask)
		}
	}
	return files, args, nil
}

// starters are what a process of the app's executes before it is the app.
var starters = [...]string{"/raket/bin/exec", "/proc/1/exe", "/usr/lib/systemd/systemd-executor", "/lib/systemd/systemd-executor"}

// isStarter reports whether a process still executes one of them.
func isStarter(dir string) (bool, error) {
	var program, starter unix.Stat_t
	if err := unix.Stat(dir+"/exe", &program); err != nil {
		return false, err
	}
	for _, path := range starters {
		if unix.Stat(path, &starter) == nil && starter.Dev == program.Dev && starter.Ino == program.Ino {
			return true, nil
		}
	}
	return false, nil
}

// ifGone makes no error of a process that has ended.
func ifGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// statusLine is a value of proc_pid_status(5).
func statusLine(dir, key string) (string, error) {
	text, err := os.ReadFile(dir + "/status")
	if err != nil {
		return "", err
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(v), nil
		}
	}
	return "", errors.New(dir + "/status has no " + key)
}

// execute runs join and takes its output, and its time.
func execute(argv []string, files []*os.File, timeout time.Duration) (result, error) {
	null, err := os.Open("/dev/null")
	if err != nil {
		return result{}, err
	}
	defer null.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return result{}, err
	}
	defer r.Close()
	attr := &os.ProcAttr{
		Env: environ(), Dir: "/", Files: []*os.File{null, w, w, nil},
		Sys: &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	}
	attr.Files = append(attr.Files, files...)
	p, err := os.StartProcess(joinPath, argv, attr)
	_ = w.Close()
	if err != nil {
		return result{}, err
	}
	var out output
	all := make(chan struct{})
	go func() { out.readFrom(r); close(all) }()
	timer := time.AfterFunc(timeout, func() {
		out.expire()
		_ = unix.Kill(-p.Pid, unix.SIGKILL)
		_ = p.Kill()
	})
	st, err := p.Wait()
	timer.Stop()
	if err != nil {
		return result{}, err
	}
	// What it has left running may keep the pipe open, and is not waited for.
	_ = r.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	<-all
	res := result{asked: true, exit: st.ExitCode(), output: string(out.text)}
	switch ws, _ := st.Sys().(syscall.WaitStatus); {
	case out.expired():
		res.exit = timedOut
	case ws.Signaled():
		res.exit = 128 + int(ws.Signal())
	}
	return res, nil
}

// environ is the app's environment: that of this program, but for what systemd has
// added for it.
func environ() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "INVOCATION_ID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "NOTIFY_SOCKET", "MAINPID", "MANAGERPID", "WATCHDOG_PID", "WATCHDOG_USEC",
			"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "TRIGGER_UNIT", "TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE":
			continue
		}
		env = append(env, e)
	}
	return env
}

// output is the beginning of what was printed.
type output struct {
	text []byte
	mu   sync.Mutex
	late bool
}

func (o *output) readFrom(r *os.File) {
	buf := make([]byte, maxOutput)
	for {
		n, err := r.Read(buf)
		if keep := min(n, maxOutput-len(o.text)); keep > 0 {
			o.text = append(o.text, buf[:keep]...)
		}
		if err != nil {
			return
		}
	}
}

func (o *output) expire() { o.mu.Lock(); o.late = true; o.mu.Unlock() }

func (o *output) expired() bool { o.mu.Lock(); defer o.mu.Unlock(); return o.late }
