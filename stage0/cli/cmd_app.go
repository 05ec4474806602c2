package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/stage0/cli/appargs"
)

func newApp(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "app",
		Short: "Look at the apps of a pod, and change those of one that runs",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printHelp(e.stdout, cmd)
		},
		Annotations: exits(exitOK, exitError),
	}
	cmd.AddCommand(newAppSandbox(e), newAppAdd(e), newAppUpdate(e))
	for _, c := range appControls() {
		cmd.AddCommand(newAppControl(e, c))
	}
	cmd.AddCommand(newAppList(e), newAppStatus(e), newAppSpec(e), newExec(e))
	return cmd
}

func newAppSandbox(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sandbox [POD FLAGS]",
		Short: "Run a pod without apps, to which they are added",
		Long: `This process becomes the pod, as that of raket run does, and stays until it is stopped: no app that
ends, ends the pod, unless --exit-policy says so.`,
		Example:     `raket app sandbox --net=host --uuid-file-save=/run/web.uuid`,
		Annotations: exits(exitOK, exitNamespace, exitError),
	}
	takePodArgs(e, cmd, appargs.Sandbox, func(ctx context.Context, p appargs.Pod) error {
		if p.ExitPolicy == "" {
			p.ExitPolicy = "none"
		}
		uuid, err := e.prepare(ctx, p, false)
		if err != nil {
			return err
		}
		return e.launchNew(ctx, uuid, p, nil)
	})
	return cmd
}

func newAppAdd(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "add [FLAGS] UUID IMAGE [APP FLAGS] [-- ARGS...]",
		Short: "Add an app to a running pod, without starting it",
		Long: `The image is fetched where the store lacks it. The app has the pod's network and its other
namespaces, and may mount the pod's volumes and new ones. raket app start starts it. The app's name is printed.`,
		Example: `raket app add 2fd6e2e1 docker://registry.example/nginx:1.28 --name=web --mnt-volume=name=www,kind=host,source=/srv/www,target=/www
raket app start 2fd6e2e1 web`,
		Annotations: exits(exitOK, exitError),
	}
	takePodArgs(e, cmd, appargs.Add, func(ctx context.Context, p appargs.Pod) error {
		return e.addApp(ctx, "add app", addRequest{UUID: p.Words[0], Pod: p})
	})
	return cmd
}

func newAppUpdate(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "update [FLAGS] UUID APP IMAGE [APP FLAGS] [-- ARGS...]",
		Short: "Replace an app of a running pod by one of another image",
		Long: `What was said of the app when it was made still holds, but for what is said now. Everything is
fetched and made ready while the old app runs; then that is stopped and the new one started. It has to become healthy, where its
health is checked, or else ready, where it says that it is (--type=notify), or else to run for --settle without failing.
Where it does not, the old one is put back and started again, and raket app status says why. The pod's other apps run on, but
for those with --binds-to=APP, which start anew; the app keeps its sockets. What the old app wrote to its root is gone; volumes stay.`,
		Example:     `raket app update --wait=2m 2fd6e2e1 web docker://registry.example/nginx:1.29`,
		Annotations: exits(exitOK, exitError),
	}
	takePodArgs(e, cmd, appargs.Update, func(ctx context.Context, p appargs.Pod) error {
		r := addRequest{UUID: p.Words[0], Replace: p.Words[1], Pod: p, Settle: settleTime}
		if p.Settle != nil {
			r.Settle = *p.Settle
		}
		return e.addApp(ctx, "update app", r)
	})
	return cmd
}

// settleTime is the default of --settle.
const settleTime = time.Second

func (e *env) addApp(ctx context.Context, what string, r addRequest) error {
	if err := addEnvironment(&r.Pod); err != nil {
		return err
	}
	s, err := service(e, e.services.pods)
	if err != nil {
		return err
	}
	p, err := s.Look(ctx, r.UUID)
	if err == nil && r.Replace != "" {
		_, err = p.pickApp(r.Replace)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	r.UUID = p.UUID
	k, err := service(e, e.services.apps)
	if err != nil {
		return err
	}
	name, err := k.Add(ctx, r)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if e.asRkt {
		return nil
	}
	_, err = fmt.Fprintln(e.stdout, name)
	return err
}

// appArgs are the words UUID APP, either of which a flag may have.
type appArgs struct {
	pod podArgs
	app string
}

func (a *appArgs) define(e *env, cmd *cobra.Command) {
	a.pod.define(cmd)
	cmd.Flags().StringVar(&a.app, "app", "", "the app, where it does not follow the UUID")
	e.mustCompleteAppFlag(cmd, "app")
	cmd.ValidArgsFunction = e.completePodThenApp
}

// find finds the pod and the app. The pod's only app need not be named.
func (a *appArgs) find(e *env, cmd *cobra.Command, args []string, live bool) (pod, string, error) {
	names := args
	uuids, err := a.pod.uuids(cmd, nil)
	if a.pod.file == "" {
		if len(args) == 0 {
			return pod{}, "", &fault{err: errors.New("no UUID given"), hint: "raket list"}
		}
		uuids, names, err = args[:1], args[1:], nil
	}
	if err != nil {
		return pod{}, "", err
	}
	if a.app != "" {
		names = append(slices.Clone(names), a.app)
	}
	if len(names) > 1 {
		return pod{}, "", usageError(cmd, "one app at a time: %s and %s are two", names[0], names[1])
	}
	s, err := service(e, e.services.pods)
	if err != nil {
		return pod{}, "", err
	}
	look := s.Look
	if live {
		look = s.Find
	}
	p, err := look(cmd.Context(), uuids[0])
	if err != nil {
		return p, "", err
	}
	name := ""
	if len(names) == 1 {
		name = names[0]
	}
	name, err = p.pickApp(name)
	return p, name, err
}

// appControl is a verb that does something to an app of a running pod.
type appControl struct{ do, short, long string }

func appControls() []appControl {
	return []appControl{
		{doStart, "Start an app of a running pod", `The command returns when the app's program is executed and, where it says when it is ready, has said so.`},
		{doStop, "Stop an app of a running pod", `The app gets its stop signal, and is killed when its stop timeout is over. The other apps run on;
where the pod ends with its apps and this was the last, so does the pod.`},
		{doRestart, "Stop an app of a running pod and start it again", `The pod does not end in between, whatever its exit policy.`},
		{doRemove, "Remove an app from a running pod", `An app that runs is stopped. Its root, the volumes that are its own, its status and its log file go; the
host's journal keeps what it has.`},
		{doKill, "Send an app of a running pod a signal", `The app's main process gets the signal; what it does then is the app's, and if it ends, restarts and the
pod's exit policy are as with any other end. Reload a program by --signal=HUP, as with ExecReload= of the host's unit.`},
	}
}

func newAppControl(e *env, c appControl) *cobra.Command {
	var from appArgs
	r := controlRequest{Do: c.do}
	var sig string
	cmd := &cobra.Command{
		Use:         c.do + " UUID APP",
		Short:       c.short,
		Long:        c.long,
		Example:     "raket app " + c.do + " 2fd6e2e1 web",
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, app, err := from.find(e, cmd, args, false)
			if err != nil {
				return fmt.Errorf("%s app: %w", c.do, err)
			}
			r.UUID, r.App = p.UUID, app
			if c.do == doKill {
				if r.Signal, err = appspec.SignalNumber(sig); err != nil {
					return usageError(cmd, "--signal: %w", err)
				}
			}
			k, err := service(e, e.services.apps)
			if err != nil {
				return err
			}
			if err := k.Control(cmd.Context(), r); err != nil {
				return fmt.Errorf("%s app: pod %s: %w", c.do, p.UUID, err)
			}
			return nil
		},
	}
	from.define(e, cmd)
	if c.do == doStop {
		cmd.Flags().BoolVar(&r.Force, "force", false, "kill at once")
	}
	if c.do == doKill {
		cmd.Flags().StringVarP(&sig, "signal", "s", "TERM", "send this `SIGNAL`: a name, as HUP or SIGRTMIN+3, or a number")
	}
	return cmd
}
