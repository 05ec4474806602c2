package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/raket/raket/stage0/cli/appargs"
)

func newRunPrepared(e *env) *cobra.Command {
	var quiet bool
	var opts appargs.RunOptions
	cmd := &cobra.Command{
		Use:         "run-prepared UUID",
		Short:       "Run a pod that was prepared",
		Long:        `This process becomes the pod, as that of raket run does. A pod runs once.`,
		Example:     `raket run-prepared --net=host 2fd6e2e1`,
		Annotations: exits(exitOK, exitApp, exitExec, exitNamespace, exitError),
		Args:        exactly("UUID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.insecure.checkRunPrepared(); err != nil {
				return err
			}
			p, err := e.findPod(cmd, args[0])
			if err != nil {
				return err
			}
			if p.State != "prepared" {
				return &fault{
					err:  errors.New("pod " + p.UUID + " is " + p.State + ", not prepared"),
					hint: "raket prepare makes a new one",
				}
			}
			return e.launch(cmd.Context(), runRequest{UUID: p.UUID, Options: opts, Quiet: quiet})
		},
		ValidArgsFunction: e.completePods(func(p pod) bool { return p.State == "prepared" }, 1),
	}
	appargs.RunFlags(cmd.Flags(), &opts)
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing but errors")
	return cmd
}
