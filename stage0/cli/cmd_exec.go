package cli

import (
	"errors"
	"path"
	"strings"

	"github.com/spf13/cobra"
)

func newExec(e *env) *cobra.Command {
	var from podArgs
	var r enterRequest
	cmd := &cobra.Command{
		Use:   "exec [FLAGS] UUID COMMAND [ARGS...]",
		Short: "Run a command in a running app, under the app's limits",
		Long: `The command runs as the app does: with its root, environment, user, capabilities, system call filter
and limits, in its control group and namespaces. It counts as the app's, and ends with it at the latest. What
stands behind the UUID is the command's.

Standard output and error are those of raket; standard input only with --interactive. Signals that raket gets
are handed to the command. Where raket itself is killed, the command is too, and all that came of it.`,
		Example: `raket exec 2fd6e2e1 nginx -t
raket exec -it --app=nginx 2fd6e2e1 sh
raket exec -i --app=db 2fd6e2e1 psql <dump.sql`,
		Annotations: exits(exitOK, exitApp, exitExec, exitNamespace, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.WorkingDir != "" && !path.IsAbs(r.WorkingDir) {
				return usageError(cmd, "--working-dir: %q is not absolute", r.WorkingDir)
			}
			if r.TTY && r.Stdin && !e.typed() {
				return &fault{err: errors.New("exec: --tty with --interactive wants a terminal as standard input"), hint: "leave --tty out, or --interactive"}
			}
			for _, v := range r.Env {
				if name, _, ok := strings.Cut(v, "="); !ok || name == "" {
					return usageError(cmd, "--environment: want NAME=VALUE, have %q", v)
				}
			}
			return e.enter(cmd, &from, args, r)
		},
		ValidArgsFunction: e.completePods(pod.running, 1),
	}
	from.define(cmd)
	f := cmd.Flags()
	f.StringVar(&r.App, "app", "", "the app, where the pod has several")
	f.StringVarP(&r.User, "user", "u", "", "run as `USER`, a name or number of the app's, or the owner of a file of its")
	f.StringVar(&r.Group, "group", "", "run with `GROUP` as the primary group")
	f.StringVar(&r.WorkingDir, "working-dir", "", "run in `DIR`, absolute in the app's root")
	f.StringArrayVarP(&r.Env, "environment", "e", nil, "set a variable, `NAME=VALUE`, on top of the app's; repeated")
	f.BoolVarP(&r.TTY, "tty", "t", false, "run on a terminal of its own, connected to standard output")
	f.BoolVarP(&r.Stdin, "interactive", "i", false, "pass standard input on; else the command has none")
	f.BoolVar(&r.Privileged, "privileged", false, "run as root, with all capabilities that the pod has")
	f.SetInterspersed(false)
	e.mustCompleteAppFlag(cmd, "app")
	return cmd
}
