package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// CopyOptions says what Copy copies.
type CopyOptions struct {
	App string // may be empty where the pod has one
	In  bool   // into the app, else out of it
	// Path is in the app's root, Local on the host and absolute; "" for a tar
	// stream on Stdin or Stdout.
	Path, Local string
	Stdin       io.Reader
	Stdout      io.Writer
	Stderr      io.Writer // what was left out is said here
}

// Copy copies files between the host and an app of a running pod, or out of one of a pod
// that has ended. On the host, files that come out of an app have neither set-ID bits nor
// capabilities. After an error, or as ctx ends, the target is as it was.
func Copy(ctx context.Context, p *pod.Pod, o CopyOptions) error {
	if !o.In && (p.State == pod.Exited || p.State == pod.ExitedGarbage) {
		return copyEnded(ctx, p, o)
	}
	if p.State != pod.Running {
		return fmt.Errorf("%w: it is %s", ErrNotRunning, p.State)
	}
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	if o.App, err = oneApp(s, o.App); err != nil {
		return err
	}
	path, err := s.Stage1.Path(stageabi.Copy)
	if err != nil {
		return err
	}
	direction := "--out"
	if o.In {
		direction = "--in"
	}
	cmd := exec.CommandContext(ctx, path, direction, string(p.UUID), o.App, o.Path)
	// It has to tidy up.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Dir, cmd.Env = p.Dir(), environ(s.Stage1, false)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	err = o.connect(ctx, cmd)
	said := strings.TrimSpace(complaint.String())
	var exit *exec.ExitError
	if errors.As(err, &exit) && said != "" {
		return errors.New(strings.TrimPrefix(said, "raket: "))
	}
	if err == nil && said != "" {
		_, err = fmt.Fprintln(o.Stderr, said)
	}
	return err
}

// connect runs the stage1 and does the host's part of the work. The stage1's error
// comes first: the other end's is mostly its echo.
func (o CopyOptions) connect(ctx context.Context, cmd *exec.Cmd) error {
	if o.Local == "" {
		cmd.Stdin, cmd.Stdout = o.Stdin, o.Stdout
		if o.In {
			cmd.Stdout = nil
		} else {
			cmd.Stdin = nil
		}
		return cmd.Run()
	}
	host, err := approot.OpenView("/")
	if err != nil {
		return err
	}
	defer host.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	mine, its := r, w
	if o.In {
		mine, its = w, r
		cmd.Stdin = r
	} else {
		cmd.Stdout = w
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(err, r.Close(), w.Close())
	}
	err = its.Close()
	if err == nil && o.In {
		var left []string
		if left, err = host.Send(ctx, mine, o.Local); err == nil {
			err = approot.ReportLeft(o.Stderr, left)
		}
	} else if err == nil {
		err = host.Receive(ctx, mine, o.Local, true)
	}
	_ = mine.Close()
	werr := cmd.Wait()
	switch {
	case werr == nil, ctx.Err() != nil:
		return errors.Join(err, ctx.Err())
	case err == nil:
		return werr
	case o.In && !errors.Is(err, syscall.EPIPE), !o.In && cmd.ProcessState.ExitCode() < 0:
		return err // the stage1 just lost its other end
	}
	return werr
}
