package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newImageCollect(e *env) *cobra.Command {
	var q collectImages
	var target byteSize
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove images that no pod uses",
		Long: `Images that nobody has used within the grace period, no pod uses and no other image depends on are removed, with
the layers that no other image has. With --size-target they are removed in the order of their last use, until blobs and
trees take no more than that. The ID of each removed image is printed, and to standard error how much was freed.

Images in read-only stores stay.`,
		Example:     `raket image gc --grace-period=0s --size-target=20G`,
		Annotations: exits(exitOK, exitError),
		Args:        exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Grace < 0 {
				return usageError(cmd, "--grace-period is negative")
			}
			q.TargetBytes = int64(target)
			s, err := service(e, e.services.imageKeeper)
			if err != nil {
				return err
			}
			done, failed := s.Collect(cmd.Context(), q)
			if failed != nil {
				failed = fmt.Errorf("collect images: %w", failed)
			}
			for _, img := range done.Images {
				if err := e.printRemovedImage(img); err != nil {
					return errors.Join(failed, err)
				}
			}
			if failed == nil {
				e.printFreed(done, q.DryRun)
			}
			return failed
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	const day = 24 * time.Hour
	cmd.Flags().DurationVar(&q.Grace, "grace-period", day, "keep an image this long after its last use")
	cmd.Flags().Var(&target, "size-target", "remove no more than it takes to come down to this size, as 500M or 20G")
	cmd.Flags().BoolVar(&q.DryRun, "dry-run", false, "remove nothing, print what would be")
	return cmd
}

func (e *env) printFreed(done collectedImages, dry bool) {
	switch {
	case done.Deferred:
		fmt.Fprintln(e.stderr, "an image is being fetched: blobs and trees are left for the next time")
	case done.FreedBytes > 0 && dry:
		fmt.Fprintln(e.stderr, "would free", sizeText(done.FreedBytes, false))
	case done.FreedBytes > 0:
		fmt.Fprintln(e.stderr, "freed", sizeText(done.FreedBytes, false))
	}
}

// byteSize is a flag's number of bytes: digits, and K, M, G or T for powers of 1024.
type byteSize int64

func (b *byteSize) Set(v string) error {
	const bad = "must be a number of bytes, as 500M or 20G"
	digits := strings.TrimSuffix(strings.TrimSuffix(v, "B"), "i")
	shift := 0
	if n := len(digits); n > 0 {
		if i := strings.IndexByte("KMGT", digits[n-1]); i >= 0 {
			const perUnit = 10
			digits, shift = digits[:n-1], perUnit*(i+1)
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64>>shift {
		return errors.New(bad)
	}
	*b = byteSize(n << shift)
	return nil
}

func (b *byteSize) String() string {
	if *b == 0 {
		return ""
	}
	return strconv.FormatInt(int64(*b), 10)
}
func (b *byteSize) Type() string { return "SIZE" }
