package cli

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

const (
	defaultGrace  = 30 * time.Minute
	defaultExpire = 24 * time.Hour
)

func newCollect(e *env) *cobra.Command {
	var r collectRequest
	var quiet bool
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove pods that ended a while ago",
		Long: `Pods that ended become garbage; garbage that is old enough is removed, and so are prepared pods that
never ran and what a killed raket left half-made. One line for each.`,
		Example:     `raket gc --grace-period=0s`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if r.Grace < 0 || r.Expire < 0 {
				return usageError(cmd, "a duration is negative")
			}
			k, err := service(e, e.services.keeper)
			if err != nil {
				return err
			}
			done, failed := k.Collect(cmd.Context(), r)
			if failed != nil {
				failed = fmt.Errorf("collect garbage: %w", failed)
			}
			if quiet {
				return failed
			}
			return errors.Join(failed, e.printCollected(done))
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().DurationVar(&r.Grace, "grace-period", defaultGrace, "keep a pod this long after it ended")
	cmd.Flags().DurationVar(&r.Expire, "expire-prepared", defaultExpire, "keep a prepared pod that has not run this long")
	cmd.Flags().BoolVar(&r.MarkOnly, "mark-only", false, "make garbage of pods that ended, and remove nothing")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print nothing but errors")
	return cmd
}

func (e *env) printCollected(done collected) error {
	for _, list := range []struct {
		what  string
		uuids []string
	}{{"Moving pod %q to garbage\n", done.Marked}, {"Garbage collecting pod %q\n", done.Removed}} {
		for _, uuid := range slices.Sorted(slices.Values(list.uuids)) {
			if _, err := fmt.Fprintf(e.stdout, list.what, uuid); err != nil {
				return err
			}
		}
	}
	return nil
}
