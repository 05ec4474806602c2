package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newImageExtract(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "extract IMAGE DIR",
		Short: "Write the files of an image to a directory",
		Long: `DIR holds then the image's manifest, as cat-manifest prints it, and its files below rootfs, with their owners,
modes, times, attributes and hard links. Of an ACI they are its own files: what it depends on is left out, see render.
DIR appears when it is complete.`,
		Annotations: exits(exitOK, exitError),
	}
	return e.extractCommand(cmd, false)
}

func newImageRender(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:         "render IMAGE DIR",
		Short:       "Write the files of an image, as an app sees them, to a directory",
		Long:        `It is as extract, with what an ACI depends on below its own files, and without what its pathWhitelist leaves out.`,
		Annotations: exits(exitOK, exitError),
	}
	return e.extractCommand(cmd, true)
}

func (e *env) extractCommand(cmd *cobra.Command, rendered bool) *cobra.Command {
	q := extractRequest{Rendered: rendered}
	cmd.Args = exactly("IMAGE", "DIR")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := service(e, e.services.imageFiles)
		if err != nil {
			return err
		}
		q.Image, q.Dir = args[0], args[1]
		if err := s.Extract(cmd.Context(), q); err != nil {
			return fmt.Errorf("%s image %q: %w", cmd.Name(), args[0], err)
		}
		return nil
	}
	cmd.ValidArgsFunction = e.completeImages(1)
	cmd.Flags().BoolVar(&q.RootfsOnly, "rootfs-only", false, "make DIR itself the root of the files")
	cmd.Flags().BoolVar(&q.Overwrite, "overwrite", false, "replace DIR and all there is in it")
	return cmd
}
