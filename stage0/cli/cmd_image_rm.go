package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newImageRemove(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rm IMAGE...",
		Short: "Remove images from the store",
		Long: `IMAGE is an ID, which may be shortened, or a name. An image that a pod uses stays. The ID of each removed image
is printed.`,
		Annotations: exits(exitOK, exitError),
		Args:        between(1, -1, "IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := service(e, e.services.images)
			if err != nil {
				return err
			}
			var failed []error
			removed := 0
			for _, name := range args {
				img, err := s.Find(cmd.Context(), name)
				if err == nil {
					err = s.Remover().Remove(cmd.Context(), img)
				}
				if err != nil {
					failed = append(failed, fmt.Errorf("remove image %q: %w", name, err))
					continue
				}
				removed++
				if err := e.printRemovedImage(img); err != nil {
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
