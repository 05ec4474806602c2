package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLogs(e *env) *cobra.Command {
	r := logsRequest{}
	cmd := &cobra.Command{
		Use:   "logs UUID [APP]",
		Short: "Print what a pod's apps wrote",
		Long: `The lines come from the host's journal, or from files where the host has none. Where the pod
runs in a unit, journalctl -u UNIT -t APP prints the same.`,
		Example:     `raket logs -f 2fd6e2e1 nginx`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, 2, "UUID", "APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := e.findPod(cmd, args[0])
			if err != nil {
				return err
			}
			r.UUID = p.UUID
			if len(args) > 1 {
				if r.App, err = p.pickApp(args[1]); err != nil {
					return err
				}
			}
			l, err := service(e, e.services.launcher)
			if err != nil {
				return err
			}
			if err := l.Logs(cmd.Context(), r, e.stdout); err != nil {
				return fmt.Errorf("logs of pod %s: %w", p.UUID, err)
			}
			return nil
		},
		ValidArgsFunction: e.completePodThenApp,
	}
	cmd.Flags().BoolVarP(&r.Follow, "follow", "f", false, "go on printing until the pod has ended")
	cmd.Flags().IntVarP(&r.Lines, "lines", "n", -1, "print the last `N` lines only")
	return cmd
}
