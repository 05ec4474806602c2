package cli

import (
	"github.com/spf13/cobra"
)

func newImage(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Look at, check, move and remove images",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printHelp(e.stdout, cmd)
		},
		Annotations: exits(exitOK, exitError),
	}
	cmd.AddCommand(newImageList(e), newImageCatManifest(e), newImageRemove(e), newImageCollect(e))
	cmd.AddCommand(newImageVerify(e), newImageExport(e), newImageExtract(e), newImageRender(e), newImageImport(e))
	return cmd
}
