package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/image"
)

func newImageVerify(e *env) *cobra.Command {
	var all, repair bool
	cmd := &cobra.Command{
		Use:   "verify IMAGE...",
		Short: "Hold images on disk against their digests",
		Long: `The manifest, the config and every layer of each image are read and held against their digests. Each layer is
unpacked once more, beside its tree, and the tree compared with that, file by file. What differs is printed, one line
each: what it is, the path of the file in it, and how it differs: content, type, mode, owner, time, xattr, hard link,
missing or not in the image.

With --repair a tree that differs is replaced by the new one, unless a running pod uses it; a layer, config or manifest
that is not what its digest says is removed, so that fetching the image with --pull-policy=update brings it again.

It takes as much room, for as long as it runs, as the largest layer does.`,
		Example: `raket image verify --all
raket image verify --repair registry.example/nginx:1.28`,
		Annotations: exits(exitOK, exitError),
		Args:        between(0, -1, "IMAGE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if all == (len(args) > 0) {
				return usageError(cmd, "name images, or give --all")
			}
			images, err := e.imagesToVerify(cmd, args)
			if err != nil {
				return err
			}
			k, err := service(e, e.services.imageKeeper)
			if err != nil {
				return err
			}
			bad := 0
			var failed []error
			for _, img := range images {
				v, err := k.Verify(cmd.Context(), img, repair)
				if !v.Whole {
					bad++
				}
				if err != nil {
					failed = append(failed, fmt.Errorf("verify image %s: %w", image.ShortID(img), err))
				}
				if err := e.printVerified(img, v, err != nil); err != nil {
					return err
				}
				if cmd.Context().Err() != nil {
					return errors.Join(failed...)
				}
			}
			if bad > 0 {
				hint := "raket image verify --repair"
				if repair {
					hint = "raket fetch --pull-policy=update IMAGE"
				}
				err := fmt.Errorf("%d of %d images differ from their digests", bad, len(images))
				failed = append(failed, &fault{err: err, hint: hint})
			}
			return errors.Join(failed...)
		},
		ValidArgsFunction: e.completeImages(-1),
	}
	cmd.Flags().BoolVar(&all, "all", false, "verify every image")
	cmd.Flags().BoolVar(&repair, "repair", false, "put right what can be")
	return cmd
}

func (e *env) imagesToVerify(cmd *cobra.Command, args []string) ([]image.Image, error) {
	s, err := service(e, e.services.images)
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		images, err := s.List(cmd.Context())
		if err != nil {
			return nil, fmt.Errorf("list images: %w", err)
		}
		return images, nil
	}
	var images []image.Image
	for _, name := range args {
		img, err := s.Find(cmd.Context(), name)
		if err != nil {
			return nil, fmt.Errorf("verify image %q: %w", name, err)
		}
		images = append(images, img)
	}
	return images, nil
}

func (e *env) printVerified(img image.Image, v verifiedImage, stopped bool) error {
	id := image.ShortID(img)
	for _, line := range v.Differences {
		if _, err := fmt.Fprintf(e.stdout, "%s: %s\n", id, printable(line)); err != nil {
			return err
		}
	}
	for _, what := range v.Repaired {
		fmt.Fprintf(e.stderr, "%s: repaired %s\n", id, printable(what))
	}
	if v.Unchecked != "" {
		fmt.Fprintf(e.stderr, "%s: not checked: %s\n", id, printable(v.Unchecked))
	}
	if len(v.Differences) > 0 || stopped {
		return nil
	}
	line := id + ": all as its digests say"
	if e.asRkt {
		line = fmt.Sprintf("successfully verified checksum for image: %q (%q)", img.Name(), image.FullID(img))
	}
	_, err := fmt.Fprintln(e.stdout, line)
	return err
}
