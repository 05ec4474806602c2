package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newImageCollect(e *env) *cobra.Command {
	var grace time.Duration
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove images that no pod uses",
		Long: `Images that nobody has used within the grace period and no pod uses are removed, with the layers that no other
image has. The ID of each removed image is printed.`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if grace < 0 {
				return usageError(cmd, "--grace-period is negative")
			}
			s, err := service(e, e.services.images)
			if err != nil {
				return err
			}
			removed, failed := s.Remover().Collect(cmd.Context(), grace)
			if failed != nil {
				failed = fmt.Errorf("collect images: %w", failed)
			}
			for _, img := range removed {
				if err := e.printRemovedImage(img); err != nil {
					return errors.Join(failed, err)
				}
			}
			return failed
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	const day = 24 * time.Hour
	cmd.Flags().DurationVar(&grace, "grace-period", day, "keep an image this long after its last use")
	return cmd
}
