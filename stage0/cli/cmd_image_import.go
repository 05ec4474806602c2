package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newImageImport(e *env) *cobra.Command {
	var q importRequest
	var full bool
	cmd := &cobra.Command{
		Use:   "import FILE...",
		Short: "Bring the images in files into the store and print their IDs",
		Long: `FILE is an OCI archive, a docker archive or an ACI, compressed or not, or the directory of an OCI image layout: its
content tells. "-" is standard input. All images in it are fetched, as raket fetch does with oci-archive:FILE:TAG and
its like, and the same signatures are asked for. The ID of each is printed.

An archive may say by which names its images are known. With --with-names they have these names in the store, as if
docker://NAME had been fetched: only whoever made the archive vouches for that.`,
		Example: `raket image import --with-names /media/usb/*.tar
raket image export nginx - | ssh host raket image import -`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := service(e, e.services.imageFiles)
			if err != nil {
				return err
			}
			for _, path := range args {
				q.Path = path
				err := s.Import(cmd.Context(), q, func(img image.Image) error {
					_, err := fmt.Fprintln(e.stdout, imageID(img, full))
					return err
				})
				if err != nil {
					return fmt.Errorf("import %q: %w", path, err)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "print whole IDs")
	cmd.Flags().BoolVar(&q.Quiet, "quiet", false, "print no progress")
	cmd.Flags().BoolVar(&q.Names, "with-names", false, "give the images the names that the files say they have")
	cmd.Flags().StringVar(&q.Signature, "signature", "", "the `FILE` or URL of an ACI's signature")
	return cmd
}
