package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

func newRemove(e *env) *cobra.Command {
	var from podArgs
	cmd := &cobra.Command{
		Use:         "rm UUID...",
		Short:       "Remove pods that do not run",
		Long:        `What a pod left is removed, its logs in files too. The UUID of each removed pod is printed.`,
		Annotations: exits(exitOK, exitError),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.eachPod(cmd, &from, args, func(ctx context.Context, k keeper, p pod) error {
				if p.running() {
					return &fault{err: errors.New("pod " + p.UUID + " is running"), hint: "raket stop " + p.UUID}
				}
				return k.Remove(ctx, p.UUID)
			})
		},
		ValidArgsFunction: e.completePods(func(p pod) bool { return !p.running() }, -1),
	}
	from.define(cmd)
	return cmd
}
