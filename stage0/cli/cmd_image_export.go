package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// exportFormats are the words of --format.
func exportFormats() []string { return []string{"aci", "oci-archive", "oci-dir", "docker-archive"} }

func newImageExport(e *env) *cobra.Command {
	var q exportRequest
	cmd := &cobra.Command{
		Use:   "export IMAGE FILE",
		Short: "Write an image to a file",
		Long: `An ACI is written as the file it came as, byte for byte, so that its signature holds. An OCI image is written as
--format says:

  oci-archive     a tar of an OCI image layout; the default
  oci-dir         an OCI image layout; FILE is a directory
  docker-archive  what docker load reads; read again, the image has another ID

Every layer is held against its digest. FILE appears when it is whole; "-" is standard output.`,
		Example: `raket image export registry.example/nginx:1.28 nginx.tar
raket image export nginx - | ssh host raket image import -`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly("IMAGE", "FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] == "-" && e.terminal {
				return usageError(cmd, "an image is not for a terminal")
			}
			s, err := service(e, e.services.imageFiles)
			if err != nil {
				return err
			}
			q.Image, q.Path = args[0], args[1]
			if err := s.Export(cmd.Context(), q); err != nil {
				return fmt.Errorf("export image %q: %w", args[0], err)
			}
			return nil
		},
		ValidArgsFunction: e.completeImages(1),
	}
	cmd.Flags().BoolVar(&q.Overwrite, "overwrite", false, "replace FILE")
	format := choiceFlag(cmd, "format", "", "the form of the file", exportFormats()...)
	cmd.PreRun = func(*cobra.Command, []string) { q.Format = format.value }
	return cmd
}
