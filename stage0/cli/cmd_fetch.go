package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newFetch(e *env) *cobra.Command {
	var q fetchRequest
	var full, storeOnly bool
	var policy, format *choice
	cmd := &cobra.Command{
		Use:   "fetch IMAGE...",
		Short: "Bring images into the store and print their IDs",
		Long: `Each image is fetched, checked against its digests and by the host's policy and keys, unpacked, and its ID
printed, one a line. An image is named as

  docker://[HOST[:PORT]/]NAME[:TAG|@DIGEST]   in a registry
  oci:DIR[:TAG], oci-archive:FILE[:TAG]       an OCI image layout
  docker-archive:FILE[:NAME]                  what docker save wrote
  FILE.aci, https://HOST/FILE.aci             an appc image
  example.com/app[:VERSION][,LABEL=VALUE]     an appc image that its site is asked for
  sha256:HEX, sha512-HEX, NAME                one that is in the store

With --format=json each step is printed as a line of JSON in place of the IDs; docs/images.md says what is in them.`,
		Example: `raket fetch docker://registry.example/nginx:1.28
raket fetch --signature=https://example.com/reloader.asc ./reloader.aci`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := service(e, e.services.fetcher)
			if err != nil {
				return err
			}
			if storeOnly {
				policy.value = "never"
			}
			q.PullPolicy, q.Events = policy.value, format.value == formatJSON
			for _, name := range args {
				q.Name = name
				img, err := f.Fetch(cmd.Context(), q)
				if err != nil {
					return fmt.Errorf("fetch %q: %w", name, err)
				}
				if q.Events {
					continue
				}
				if _, err := fmt.Fprintln(e.stdout, imageID(img, full)); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&full, "full", false, "print whole IDs")
	cmd.Flags().BoolVar(&q.Quiet, "quiet", false, "print no progress")
	cmd.Flags().StringVar(&q.Signature, "signature", "", "the `FILE` or URL of an ACI's signature, where it is not beside it")
	cmd.Flags().StringVar(&q.Platform, "platform", "", "fetch for `OS/ARCH[/VARIANT]` (default this machine's)")
	format = choiceFlag(cmd, "format", "text", "print IDs, or each step as a line of JSON", "text", formatJSON)
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
