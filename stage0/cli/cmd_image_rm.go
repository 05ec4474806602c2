package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newImageRemove(e *env) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "rm IMAGE...",
		Short: "Remove images from the store",
		Long: `IMAGE is an ID, which may be shortened, or a name. By its ID an image is removed with all its names. By a name it is
removed if it has no other: else it loses that name only. Where a file or a directory lay is a name that keeps no image.

An image that a pod uses stays, and so does one that another image depends on, or that is in a read-only store. The ID
of each removed image is printed.`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := service(e, e.services.imageKeeper)
			if err != nil {
				return err
			}
			var failed []error
			removed := 0
			for _, name := range args {
				// rkt's images have one name.
				done, err := s.Remove(cmd.Context(), name, all || e.asRkt)
				switch {
				case err != nil:
					failed = append(failed, fmt.Errorf("remove image %q: %w", name, err))
					continue
				case done.Name != "":
					fmt.Fprintf(e.stderr, "removed the name %s; image %s has others\n", printable(done.Name), image.ShortID(done.Image))
					continue
				}
				removed++
				if err := e.printRemovedImage(done.Image); err != nil {
					return err
				}
			}
			if e.asRkt && removed > 0 {
				fmt.Fprintf(e.stderr, "rm: %d image(s) successfully removed\n", removed)
			}
			return errors.Join(failed...)
		},
		ValidArgsFunction: e.completeImages(-1),
	}
	cmd.Flags().BoolVar(&all, "all-names", false, "remove the image even if it has other names")
	return cmd
}

func (e *env) printRemovedImage(img image.Image) error {
	if e.asRkt {
		_, err := fmt.Fprintf(e.stdout, "successfully removed aci for image: %q\n", image.FullID(img))
		return err
	}
	_, err := fmt.Fprintln(e.stdout, image.FullID(img))
	return err
}
