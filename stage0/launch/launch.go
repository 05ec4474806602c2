package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appcredential"
	"github.com/raket/raket/pkg/complaint"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podsocket"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/prepare"
)

// ErrNotRunning says that a pod has no processes.
var ErrNotRunning = errors.New("the pod is not running")

// Options of Run.
type Options struct {
	Debug bool
	// Change completes the pod's description with what is decided at its start;
	// may be nil.
	Change func(*stageabi.Sandbox) error
	// Credentials are those of the apps, in their order. Nil: they are found where the
	// pod's description says.
	Credentials [][]appcredential.Credential
}

// Run turns this process into the prepared pod. It returns only with an error,
// which is ctx's if that has ended before. From then on a signal has the effect
// that it has on the pod.
func Run(ctx context.Context, p *pod.Pod, o Options) (err error) {
	if p.State != pod.Prepared {
		return fmt.Errorf("it is %s, not prepared", p.State)
	}
	// Before the lock: a pod that is locked cannot be discarded.
	sockets, err := sockets(p)
	if err != nil {
		return err
	}
	credentials, err := credentials(p, o.Credentials)
	if err != nil {
		return err
	}
	if err := p.Lock(); err != nil {
		return err
	}
	// The caller may want to discard it.
	defer func() { err = errors.Join(err, p.Close()) }()
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	s.Sockets = sockets
	if o.Change != nil {
		if err := o.Change(&s); err != nil {
			return err
		}
	}
	held, err := takeUsers(ctx, &s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()
	if o.Change != nil || len(s.Sockets) > 0 || s.Users != nil {
		if err := prepare.WriteSandbox(p.Dir(), s); err != nil {
			return err
		}
	}
	mode := logMode(s.Log, os.Stdout, journalSocket)
	if mode == stageabi.LogJournal {
		if _, err := os.Stat(journalSocket); err != nil {
			return fmt.Errorf("this host has no journal (%w): use --log=file or --log=console", err)
		}
	}
	path, err := s.Stage1.Path(stageabi.Run)
	if err != nil {
		return err
	}
	fd, err := p.Hand()
	if err != nil {
		return err
	}
	// What came before is in ctx; what comes after ends this process.
	signal.Reset(os.Interrupt, syscall.SIGTERM)
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.ToRun(); err != nil {
		return err
	}
	if err := os.Chdir(p.Dir()); err != nil {
		return err
	}
	if err := podsocket.SetInheritable(true); err != nil {
		return err
	}
	if err := held.Inherit(); err != nil {
		return err
	}
	env := append(environ(s.Stage1, o.Debug), stageabi.EnvLockFD+"="+strconv.Itoa(fd))
	if credentials != nil {
		if _, err := unix.FcntlInt(credentials.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
		env = append(env, stageabi.EnvCredentialsFD+"="+strconv.Itoa(int(credentials.Fd())))
	}
	argv := []string{path, "--log=" + string(mode), string(p.UUID)}
	return fmt.Errorf("execute stage1: %w", syscall.Exec(path, argv, env))
}

// sockets are those of the pod's apps, given what the host's systemd passed.
func sockets(p *pod.Pod) ([]stageabi.Socket, error) {
	s, err := p.Sandbox()
	if err != nil {
		return nil, err
	}
	given, err := podsocket.Inherited()
	if err != nil {
		return nil, err
	}
	return podsocket.Assign(s.Apps, given)
}

func environ(s stageabi.Stage1, debug bool) []string {
	env := append(os.Environ(), stageabi.EnvStage1+"="+s.Dir)
	if debug {
		env = append(env, stageabi.EnvDebug+"=1")
	}
	return env
}

// journalSocket is there where the host has a journal.
const journalSocket = "/run/systemd/journal/stdout"

// logMode decides LogAuto: where the apps' output goes, on a host that has a
// journal if there is a file named socket.
func logMode(asked stageabi.LogMode, stdout *os.File, socket string) stageabi.LogMode {
	if asked != stageabi.LogAuto && asked != "" {
		return asked
	}
	_, err := os.Stat(socket)
	journal := err == nil
	var st unix.Stat_t
	if err := unix.Fstat(int(stdout.Fd()), &st); err != nil {
		return fallbackLog(journal)
	}
	if journal && complaint.ToJournal(stdout) {
		return stageabi.LogJournal
	}
	var null unix.Stat_t
	if err := unix.Stat(os.DevNull, &null); err == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == null.Rdev {
		return fallbackLog(journal)
	}
	return stageabi.LogConsole
}

func fallbackLog(journal bool) stageabi.LogMode {
	if journal {
		return stageabi.LogJournal
	}
	return stageabi.LogFile
}

// call runs an entrypoint as a child, in the pod's directory.
func call(ctx context.Context, p *pod.Pod, e stageabi.Entrypoint, stdin io.Reader, stdout, stderr io.Writer, args ...string) error {
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	path, err := s.Stage1.Path(e)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = p.Dir(), environ(s.Stage1, false)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	return cmd.Run()
}

// capture runs an entrypoint and returns what it printed; what it complained of
// is in the error.
func capture(ctx context.Context, p *pod.Pod, e stageabi.Entrypoint, args ...string) ([]byte, error) {
	var out, complaint strings.Builder
	if err := call(ctx, p, e, nil, &out, &complaint, args...); err != nil {
		if c := strings.TrimSpace(complaint.String()); c != "" {
			c = strings.TrimPrefix(c, "raket: ")
			return nil, errors.New(c)
		}
		return nil, fmt.Errorf("stage1 %s: %w", e, err)
	}
	return []byte(out.String()), nil
}
