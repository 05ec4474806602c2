package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newFetch(e *env) *cobra.Command {
	var full, quiet, storeOnly bool
	var policy *choice
	cmd := &cobra.Command{
		Use:   "fetch IMAGE...",
		Short: "Bring images into the store and print their IDs",
		Long: `Each image is fetched, checked against its digests, unpacked, and its ID printed,
one a line. An image is named as

  docker://[HOST[:PORT]/]NAME[:TAG|@DIGEST]   in a registry
  oci:DIR[:TAG], oci-archive:FILE[:TAG]       an OCI image layout
  docker-archive:FILE[:NAME]                  what docker save wrote
  FILE.aci                                    an appc image
  sha256:HEX, sha512-HEX, NAME                one that is in the store`,
		Example: `raket fetch docker://registry.example/nginx:1.28
raket fetch ./reloader.aci`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.insecure.checkFetch(); err != nil {
				return err
			}
			f, err := service(e, e.services.fetcher)
			if err != nil {
				return err
			}
			if storeOnly {
				policy.value = "never"
			}
			for _, name := range args {
				img, err := f.Fetch(cmd.Context(), fetchRequest{Name: name, PullPolicy: policy.value, Quiet: quiet})
				if err != nil {
					return fmt.Errorf("fetch %q: %w", name, err)
				}
				if _, err := fmt.Fprintln(e.stdout, imageID(img, full)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "print whole IDs")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "print no progress")
	policy = choiceFlag(cmd, "pull-policy", "new", "when to fetch: new, if the store lacks the image; never; update, always", "new", "never", "update")
	cmd.Flags().BoolVar(&storeOnly, "store-only", false, "use the store alone, as --pull-policy=never")
	return cmd
}

func imageID(img image.Image, full bool) string {
	if full {
		return image.FullID(img)
	}
	return image.ShortID(img)
}
