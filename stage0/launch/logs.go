package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// LogOptions say which lines of a pod's output to write.
type LogOptions struct {
	App    string // "" for all
	Follow bool
	Lines  int // how many of the last; negative for all
}

// Logs writes the output of a pod's apps.
func Logs(ctx context.Context, p *pod.Pod, o LogOptions, stdout, stderr io.Writer) error {
	s, err := p.Sandbox()
	if err != nil {
		return err
	}
	if o.App != "" {
		if _, err := oneApp(s, o.App); err != nil {
			return err
		}
	}
	where, err := stageabi.ReadLogPlace(p.Dir())
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("the pod has not been started")
	}
	if err != nil {
		return err
	}
	switch where.Mode {
	case stageabi.LogJournal:
		return journal(ctx, p, s, where.Unit, o, stdout)
	case stageabi.LogFile:
		return files(ctx, p, s, o, stdout, stderr)
	case stageabi.LogConsole:
		return errors.New("the pod writes to the output of raket run; --log=journal or --log=file keeps it")
	}
	return errors.New("the pod was started with --log=none: its output is nowhere")
}

// files runs tail on the logs of the apps.
func files(ctx context.Context, p *pod.Pod, s stageabi.Sandbox, o LogOptions, stdout, stderr io.Writer) error {
	args := []string{"--lines=+1"}
	if o.Lines >= 0 {
		args[0] = "--lines=" + strconv.Itoa(o.Lines)
	}
	follow := o.Follow && p.State == pod.Running
	if follow {
		pid, err := p.PID()
		if err != nil {
			return err
		}
		args = append(args, "--follow=name", "--retry", "--pid="+strconv.Itoa(pid))
	}
	n := len(args)
	for _, a := range s.Apps {
		path := stageabi.LogPath(p.Dir(), a.Name)
		if o.App != "" && o.App != a.Name {
			continue
		}
		if _, err := os.Stat(path); err == nil || follow {
			args = append(args, path)
		}
	}
	if len(args) == n {
		return nil // no app has written anything
	}
	cmd := exec.CommandContext(ctx, "tail", args...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the logs: %w", err)
	}
	return nil
}
