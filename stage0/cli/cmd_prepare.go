package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/stage0/cli/appargs"
)

func newPrepare(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prepare [POD FLAGS] IMAGE [APP FLAGS] [-- ARGS... [---]] ...",
		Short: "Prepare a pod from images and print its UUID",
		Long: `The pod is made as by raket run, and waits for raket run-prepared. Flags that are decided at its
start, as --net, belong there.

` + fmt.Sprintf(grammarHelp, "prepare"),
		Example: `uuid=$(raket prepare docker://registry.example/nginx:1.28)
raket run-prepared --net=host $uuid`,
		Annotations: exits(exitOK, exitError),
	}
	takePodArgs(e, cmd, appargs.Prepare, func(ctx context.Context, p appargs.Pod) error {
		if err := checkKept(p); err != nil {
			return usageError(cmd, "%w", err)
		}
		uuid, err := e.prepare(ctx, p, true)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(e.stdout, uuid)
		return err
	})
	return cmd
}
