package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// Change runs an entrypoint that changes the apps of a running pod, which holds lock until it has
// ended, whatever becomes of this process. credentials, of approot.NewCredentials, are the
// app's; nil for none. It returns what the entrypoint had
// to say. As ctx ends the entrypoint is asked to give up, and waited for.
func Change(ctx context.Context, p *pod.Pod, e stageabi.Entrypoint, lock *flock.Lock, credentials *os.File, args ...string) (said string, err error) {
	s, err := p.Sandbox()
	if err != nil {
		return "", err
	}
	path, err := s.Stage1.Path(e)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir = p.Dir()
	const fd = 3
	cmd.Env = append(environ(s.Stage1, false), stageabi.EnvLockFD+"="+strconv.Itoa(fd))
	held, err := syscall.Dup(lock.Fd())
	if err != nil {
		return "", err
	}
	file := os.NewFile(uintptr(held), lock.Path())
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	if credentials != nil {
		cmd.ExtraFiles = append(cmd.ExtraFiles, credentials)
		cmd.Env = append(cmd.Env, stageabi.EnvCredentialsFD+"="+strconv.Itoa(fd+1))
	}
	// A signal from the terminal comes by way of this process, once.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	err = cmd.Run()
	said = strings.TrimSpace(complaint.String())
	var exit *exec.ExitError
	switch {
	case err == nil:
		return said, nil
	case errors.As(err, &exit) && said != "":
		return "", errors.New(strings.TrimPrefix(said, "raket: "))
	}
	return "", fmt.Errorf("stage1 %s: %w", e, err)
}
