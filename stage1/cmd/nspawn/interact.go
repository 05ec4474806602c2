package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/pkg/streamwire"
	"github.com/raket/raket/pkg/terminal"
	"github.com/raket/raket/stage1/attach"
	"github.com/raket/raket/stage1/unitgen"
)

// ownerSocket, in the pod's directory, is where the pod finds the owner of its app's
// terminal.
const ownerSocket = "owner"

// envOwned tells the process that becomes the pod that the one which started it is the
// owner of its app's terminal.
const envOwned = "RAKET_OWNED"

// interactive says how the pod's app has the caller's standard input.
func interactive(s stageabi.Sandbox) (unitgen.Interactive, error) {
	switch {
	case !s.Interactive:
		return unitgen.InteractiveNot, nil
	case len(s.Apps) != 1:
		return "", fmt.Errorf("an interactive pod has one app, this one has %d", len(s.Apps))
	case os.Getenv(envOwned) == "1" || terminal.Is(0):
		return unitgen.InteractiveTerminal, nil
	}
	return unitgen.InteractivePipe, nil
}

// runOrOwn turns this process into the pod, or into the terminal of its app. It returns
// only with an error or, in the second case, with the pod's exit status.
func runOrOwn(args []string) (int, error) {
	s, err := stageabi.ReadSandbox(".")
	if err != nil {
		return 0, runPod(args) // it says what is wrong
	}
	stdin, err := interactive(s)
	if err != nil {
		return 0, err
	}
	if stdin == unitgen.InteractiveTerminal && os.Getenv(envOwned) != "1" {
		return own(args, s)
	}
	return 0, runPod(args)
}

// connectInput decides about the app's input.
func (p *pod) connectInput() (err error) {
	p.stdin, err = interactive(p.sandbox)
	if err == nil && p.stdin == unitgen.InteractivePipe && p.sandbox.Users != nil {
		err = errors.New("an interactive pod with a user namespace needs a terminal as standard input; of a pipe or a file, --stdin=stream and raket attach --close-stdin")
	}
	if err == nil && p.stdin != unitgen.InteractiveNot {
		// Before there is anything to undo.
		_, err = unitgen.Modes(unitgen.App{Spec: p.specs[0], Interactive: p.stdin})
	}
	if err != nil || p.stdin != unitgen.InteractiveTerminal {
		return err
	}
	termOf(p.specs[0])
	if p.log.Mode == stageabi.LogConsole {
		p.log.Mode = stageabi.LogNone // the app's terminal is there
	}
	return nil
}

// own starts the pod as a child, and is the terminal of its app until that ends or the
// caller has detached. It returns the pod's exit status.
func own(args []string, s stageabi.Sandbox) (int, error) {
	for _, sock := range s.Sockets {
		if sock.FD != 0 {
			return 0, errors.New("an interactive pod takes no sockets of the host's")
		}
	}
	if err := os.Remove(ownerSocket); err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: ownerSocket, Net: "unixpacket"})
	if err != nil {
		return 0, fmt.Errorf("make a socket for the app's terminal: %w", err)
	}
	p, err := startOwned(args)
	if err != nil {
		return 0, errors.Join(err, l.Close())
	}
	go func() {
		<-p.done
		_ = l.Close()
	}()
	conn, err := l.AcceptUnix()
	_ = l.Close() // and the file
	detached := false
	if err == nil { // else the pod has ended before
		if detached, err = p.serve(conn); err != nil {
			return 0, err
		}
	}
	if detached {
		fmt.Fprintf(os.Stderr, "raket: detached; the pod goes on: raket attach %s\n", s.UUID)
		return 0, nil
	}
	<-p.done
	return p.status, p.printComplaints(os.Stderr)
}

// owned is a pod that is a child of this process.
type owned struct {
	cmd        *exec.Cmd
	done       chan struct{}
	status     int      // once it is done
	complaints *os.File // in memory: no pipe, which nobody would read after a detach
}

func startOwned(args []string) (*owned, error) {
	fd, err := unix.MemfdCreate("complaints", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	p := &owned{done: make(chan struct{}), complaints: os.NewFile(uintptr(fd), "complaints")}
	p.cmd = exec.Command("/proc/self/exe")
	p.cmd.Args = append([]string{string(stageabi.Run)}, args...)
	p.cmd.Env = append(os.Environ(), envOwned+"=1")
	p.cmd.Stderr = p.complaints
	// The terminal, its signals and its hang-up are this process's.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the pod: %w", err)
	}
	// The child has it now, and holds it as long as the pod lives.
	if fd, err := strconv.Atoi(os.Getenv(stageabi.EnvLockFD)); err == nil {
		_ = unix.Close(fd)
	}
	go func() {
		err := p.cmd.Wait()
		var exit *exec.ExitError
		switch ws, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus); {
		case err == nil:
		case errors.As(err, &exit) && ws.Signaled():
			p.status = signalStatus + int(ws.Signal())
		case errors.As(err, &exit):
			p.status = ws.ExitStatus()
		default:
			p.status = stageabi.ExitCommand
		}
		close(p.done)
	}()
	return p, nil
}

// serve is the app's terminal.
func (p *owned) serve(conn *net.UnixConn) (detached bool, err error) {
	keys, err := terminal.ParseKeys(terminal.DefaultDetachKeys)
	if err != nil {
		return false, err
	}
	s := attach.Session{
		Want: streamwire.WantIn | streamwire.WantOut | streamwire.WantErr, Terminal: true, DetachKeys: keys,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Signal: func(sig syscall.Signal) bool {
			if sig == syscall.SIGHUP {
				return false // the terminal is gone, and so is the app's
			}
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			return true
		},
	}
	r, err := s.Run(conn)
	return err == nil && r.How == attach.Detached, nil
}

// printComplaints prints what the pod's own programs said: not while the terminal was the
// app's.
func (p *owned) printComplaints(w io.Writer) error {
	const most = 64 << 10
	_, err := io.Copy(w, io.NewSectionReader(p.complaints, 0, most))
	return err
}
