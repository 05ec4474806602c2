package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newEnter(e *env) *cobra.Command {
	var app string
	cmd := &cobra.Command{
		Use:   "enter [--app=NAME] UUID [COMMAND [ARGS...]]",
		Short: "Run a command in an app of a running pod",
		Long: `The command runs with the app's root, environment and limits; a shell where none is given. What
stands behind the UUID is the command's.`,
		Example:     `raket enter --app=nginx 2fd6e2e1 nginx -t`,
		Annotations: exits(exitOK, exitApp, exitError),
		Args:        between(1, -1, "UUID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := e.findPod(cmd, args[0])
			if err != nil {
				return err
			}
			if !p.running() {
				return fmt.Errorf("enter: pod %s is %s, not running", p.UUID, p.State)
			}
			if app, err = p.pickApp(app); err != nil {
				return err
			}
			command := args[1:]
			if len(command) > 0 && command[0] == "--" {
				command = command[1:]
			}
			l, err := service(e, e.services.launcher)
			if err != nil {
				return err
			}
			err = l.Enter(cmd.Context(), enterRequest{UUID: p.UUID, App: app, Command: command})
			if err != nil {
				return fmt.Errorf("enter pod %s: %w", p.UUID, err)
			}
			return nil
		},
		ValidArgsFunction: e.completePods(pod.running, 1),
	}
	cmd.Flags().StringVar(&app, "app", "", "the app, where the pod has several")
	cmd.Flags().SetInterspersed(false)
	e.mustCompleteAppFlag(cmd, "app")
	return cmd
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
	case name != "":
		return "", &fault{err: fmt.Errorf("pod %s has no app %q", p.UUID, name), hint: "its apps are " + strings.Join(names, ", ")}
	case len(names) == 1:
		return names[0], nil
	case len(names) == 0:
		return "", fmt.Errorf("pod %s has no apps", p.UUID)
	}
	return "", &fault{err: fmt.Errorf("pod %s has several apps", p.UUID), hint: "choose one with --app: " + strings.Join(names, ", ")}
}
