package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newImageCatManifest(e *env) *cobra.Command {
	var pretty bool
	cmd := &cobra.Command{
		Use:   "cat-manifest IMAGE",
		Short: "Print what an image says about itself",
		Long: `Of an OCI image it is the image config, of an ACI the appc image manifest. IMAGE is an ID, which
may be shortened, or a name.`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly("IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := service(e, e.services.images)
			if err != nil {
				return err
			}
			img, err := s.Find(cmd.Context(), args[0])
			if err != nil {
				return fmt.Errorf("manifest of image %q: %w", args[0], err)
			}
			raw, err := s.Config(cmd.Context(), img)
			if err != nil {
				return fmt.Errorf("manifest of image %q: %w", args[0], err)
			}
			return printDocument(e.stdout, raw, pretty)
		},
		ValidArgsFunction: e.completeImages(1),
	}
	cmd.Flags().BoolVar(&pretty, "pretty-print", false, "indent it")
	return cmd
}
