package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func newEnter(e *env) *cobra.Command {
	var app string
	var from podArgs
	cmd := &cobra.Command{
		Use:   "enter [--app=NAME] UUID [COMMAND [ARGS...]]",
		Short: "Run a command in an app of a running pod, as root",
		Long: `The command runs in the app's root with the app's environment, as root with all capabilities that
the pod has; a shell where none is given. It is raket exec --privileged -i, with -t where standard input and
output are terminals, and it works where the app has ended too. What stands behind the UUID is the command's.`,
		Example:     `raket enter --app=nginx 2fd6e2e1 nginx -t`,
		Annotations: exits(exitOK, exitApp, exitExec, exitNamespace, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			r := enterRequest{App: app, Privileged: true, Stdin: true, TTY: e.onTerminal()}
			return e.enter(cmd, &from, args, r, "/bin/sh")
		},
		ValidArgsFunction: e.completePods(pod.running, 1),
	}
	cmd.Flags().StringVar(&app, "app", "", "the app, where the pod has several")
	from.define(cmd)
	cmd.Flags().SetInterspersed(false)
	e.mustCompleteAppFlag(cmd, "app")
	return cmd
}

// onTerminal reports whether somebody types and reads.
func (e *env) onTerminal() bool { return e.terminal && e.typed() }

// typed reports whether standard input is a terminal.
func (e *env) typed() bool {
	f, ok := e.stdin.(*os.File)
	return ok && isTerminal(f)
}

// enter runs the command of args, which stands behind the pod's UUID unless a file has
// that; shell where there is none.
func (e *env) enter(cmd *cobra.Command, from *podArgs, args []string, r enterRequest, shell ...string) error {
	p, args, err := e.runningPod(cmd, from, args)
	if err != nil {
		return err
	}
	if r.App, err = p.pickApp(r.App); err != nil {
		return err
	}
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		args = shell
	}
	if len(args) == 0 || args[0] == "" {
		return usageError(cmd, "COMMAND is missing")
	}
	r.UUID, r.Command = p.UUID, args
	l, err := service(e, e.services.launcher)
	if err != nil {
		return err
	}
	if err := l.Enter(cmd.Context(), r); err != nil {
		return fmt.Errorf("%s pod %s: %w", cmd.Name(), p.UUID, err)
	}
	return nil
}

// runningPod takes the pod's UUID off the arguments, unless a file has it.
func (e *env) runningPod(cmd *cobra.Command, from *podArgs, args []string) (pod, []string, error) {
	uuid := ""
	if from.file == "" {
		if len(args) == 0 {
			return pod{}, nil, usageError(cmd, "UUID is missing")
		}
		uuid, args = args[0], args[1:]
	} else {
		uuids, err := from.uuids(cmd, nil)
		if err != nil {
			return pod{}, nil, err
		}
		uuid = uuids[0]
	}
	s, err := service(e, e.services.pods)
	if err != nil {
		return pod{}, nil, err
	}
	p, err := s.Look(cmd.Context(), uuid)
	if err == nil && !p.running() {
		err = fmt.Errorf("%s: pod %s is %s, not running", cmd.Name(), p.UUID, p.State)
	}
	return p, args, err
}

// pickApp is the app of a name, or the only one.
func (p pod) pickApp(name string) (string, error) {
	var names []string
	for _, a := range p.Apps {
		if a.Name == name {
			return name, nil
		}
		names = append(names, a.Name)
	}
	switch {
	case name != "" && len(names) == 0:
		return "", fmt.Errorf("pod %s has no app %q, nor any other", p.UUID, name)
	case name != "":
		return "", &fault{err: fmt.Errorf("pod %s has no app %q", p.UUID, name), hint: "its apps are " + strings.Join(names, ", ")}
	case len(names) == 1:
		return names[0], nil
	case len(names) == 0:
		return "", fmt.Errorf("pod %s has no apps", p.UUID)
	}
	return "", &fault{err: fmt.Errorf("pod %s has several apps", p.UUID), hint: "choose one with --app: " + strings.Join(names, ", ")}
}
