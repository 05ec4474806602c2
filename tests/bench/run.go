package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// sample is what one run cost: wall clock until the awaited event, and the CPU time (user and system) of the process tree.
type sample struct {
	Wall, CPU time.Duration
}

// command is one program to start.
type command struct {
	Argv []string
	Env  []string // added to a fixed, small environment
	Dir  string
	// Notify gives it a NOTIFY_SOCKET to say READY=1 on (sd_notify(3)).
	Notify bool
	// Limit ends a run that hangs; 0 means one minute.
	Limit time.Duration
}

// run is a started command.
type run struct {
	group  *group
	cmd    *exec.Cmd
	start  time.Time
	limit  time.Duration
	notify *net.UnixConn
	out    *os.File
	errs   *os.File
	exited chan error
	// argv is the command itself; cmd runs it through the gate.
	argv []string
}

// gate is a shell that waits for a line and becomes the command. So the command is, like a service of systemd's, the only
// process of a cgroup that was made for it, and neither that nor the fork is in what is measured.
func gate(argv []string) []string {
	return append([]string{busyboxPath, "sh", "-c", `read -r _ <&3; exec 3<&-; exec "$@"`, "sh"}, argv...)
}

// start begins a run. The clock starts immediately before the exec.
func (l *lane) start(ctx context.Context, c command) (_ *run, err error) {
	r := &run{limit: c.Limit, exited: make(chan error, 1), argv: c.Argv}
	if r.limit == 0 {
		r.limit = time.Minute
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.end(ctx))
		}
	}()
	if r.group, err = l.group(); err != nil {
		return r, err
	}
	if r.out, err = os.CreateTemp("", "raket-bench-out-"); err != nil {
		return r, err
	}
	if r.errs, err = os.CreateTemp("", "raket-bench-err-"); err != nil {
		return r, err
	}
	argv := gate(c.Argv)
	r.cmd = exec.Command(argv[0], argv[1:]...)
	r.cmd.Env = append(baseEnv(), c.Env...)
	r.cmd.Dir = c.Dir
	r.cmd.Stdout, r.cmd.Stderr = r.out, r.errs
	r.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(r.group.fd.Fd()), Setsid: true}
	if c.Notify {
		path := filepath.Join(os.TempDir(), filepath.Base(r.group.dir)+".sock")
		if r.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"}); err != nil {
			return r, err
		}
		r.cmd.Env = append(r.cmd.Env, "NOTIFY_SOCKET="+path)
	}
	opener, err := r.startGate(l)
	if err != nil {
		return r, err
	}
	defer opener.Close()
	r.start = time.Now()
	_, err = opener.Write([]byte("\n"))
	return r, err
}

// startGate starts the gate and returns when it waits in its cgroup; a line to the returned pipe opens it.
func (r *run) startGate(l *lane) (opener *os.File, err error) {
	reader, opener, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	r.cmd.ExtraFiles = []*os.File{reader}
	if err := l.do(r.cmd.Start); err != nil {
		r.cmd = nil
		return nil, errors.Join(err, opener.Close())
	}
	go func() { r.exited <- r.cmd.Wait() }()
	if err = waitSleeping(r.cmd.Process.Pid); err == nil {
		err = r.group.adopt(r.cmd.Process.Pid)
	}
	if err != nil {
		return nil, errors.Join(err, opener.Close())
	}
	return opener, nil
}

// baseEnv is the environment of every contender: nothing of the caller's can speed one up or slow it down.
func baseEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "TMPDIR=" + os.TempDir()}
}

// untilExit waits for the command's end. The CPU time is read when the whole process tree has ended, so that
// work a contender leaves behind counts; the wall clock stops when the command returns.
func (r *run) untilExit(ctx context.Context) (sample, error) {
	wall, err := r.wait(ctx)
	if err != nil {
		return sample{}, err
	}
	if err := r.group.waitEmpty(ctx, 20*time.Second); err != nil {
		return sample{}, fmt.Errorf("%s: %w", r.argv[0], err)
	}
	cpu, err := r.group.cpu()
	return sample{wall, cpu}, err
}

// untilReturn waits for a command that leaves processes behind on purpose.
func (r *run) untilReturn(ctx context.Context) (sample, error) {
	wall, err := r.wait(ctx)
	if err != nil {
		return sample{}, err
	}
	cpu, err := r.group.cpu()
	return sample{wall, cpu}, err
}

func (r *run) wait(ctx context.Context) (time.Duration, error) {
	timer := time.NewTimer(r.limit)
	defer timer.Stop()
	select {
	case err := <-r.exited:
		wall := time.Since(r.start)
		r.exited <- err // for end
		if err != nil {
			return 0, r.fail(err)
		}
		return wall, nil
	case <-timer.C:
		return 0, r.fail(fmt.Errorf("not done after %v", r.limit))
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// untilReady waits for the READY=1 datagram.
func (r *run) untilReady(ctx context.Context) (sample, error) {
	type answer struct {
		at  time.Time
		err error
	}
	ready := make(chan answer, 1)
	if err := r.notify.SetReadDeadline(time.Now().Add(r.limit)); err != nil {
		return sample{}, err
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := r.notify.Read(buf)
			if err != nil || hasLine(buf[:n], "READY=1") {
				ready <- answer{time.Now(), err}
				return
			}
		}
	}()
	select {
	case a := <-ready:
		if a.err != nil {
			return sample{}, r.fail(fmt.Errorf("wait for READY=1: %w", a.err))
		}
		cpu, err := r.group.cpu()
		return sample{a.at.Sub(r.start), cpu}, err
	case err := <-r.exited:
		r.exited <- err
		return sample{}, r.fail(fmt.Errorf("ended before READY=1: %v", err))
	case <-ctx.Done():
		return sample{}, ctx.Err()
	}
}

func hasLine(data []byte, want string) bool {
	for line := range bytes.Lines(data) {
		if string(bytes.TrimRight(line, "\n")) == want {
			return true
		}
	}
	return false
}

// fail adds the command and the last lines it wrote.
func (r *run) fail(err error) error {
	var tail strings.Builder
	for _, f := range []*os.File{r.out, r.errs} {
		data, _ := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		for _, line := range lines[max(0, len(lines)-4):] {
			if line != "" {
				tail.WriteString("\n    " + line)
			}
		}
	}
	return fmt.Errorf("%s: %w%s", strings.Join(r.argv[:min(len(r.argv), 8)], " "), err, tail.String())
}

// output is what the command wrote to its standard output, up to 16 MiB.
func (r *run) output() (string, error) {
	data, err := io.ReadAll(io.NewSectionReader(r.out, 0, 16<<20))
	return string(data), err
}

// end kills what is left of the run and removes its cgroup.
func (r *run) end(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if r.group != nil {
		err = r.group.remove(ctx)
	}
	if r.cmd != nil {
		<-r.exited
	}
	if r.notify != nil {
		err = errors.Join(err, r.notify.Close())
	}
	for _, f := range []*os.File{r.out, r.errs} {
		if f != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}
	return err
}

// measureExit starts a command, waits for its end and cleans up.
func (l *lane) measureExit(ctx context.Context, c command) (s sample, err error) {
	s, _, err = l.outputOf(ctx, c)
	return s, err
}

// outputOf is measureExit that also returns the standard output.
func (l *lane) outputOf(ctx context.Context, c command) (s sample, out string, err error) {
	r, err := l.start(ctx, c)
	if err != nil {
		return sample{}, "", err
	}
	defer func() { err = errors.Join(err, r.end(ctx)) }()
	if s, err = r.untilExit(ctx); err != nil {
		return s, "", err
	}
	out, err = r.output()
	return s, out, err
}
