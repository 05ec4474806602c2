package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/raket/raket/tests/layers"
)

// storedImages is how many images the images scenario has in the store.
const storedImages = 1000

// images measures what is asked of images that are there, among many of them.
func (b *bench) images(ctx context.Context) ([]table, error) {
	absent := b.noRaket
	if !absent.stands() {
		if err := b.fillStore(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			absent = broken(fmt.Errorf("make %d images: %w", storedImages, err))
		}
	}
	exit := func(args ...string) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) { return b.plain.measureExit(ctx, b.raket.command(args...)) }
	}
	rows, err := b.interleave(ctx, b.rounds, []contender{
		{subImageList, absent, exit("image", "list")},
		{subFetchPresent, absent, exit("fetch", "--insecure-options=http", b.raket.idle)},
		{subFetchNever, absent, exit("fetch", "--pull-policy=never", b.raket.idle)},
	})
	return []table{{scImages, fmt.Sprintf("Among %d images in the store, to exit", storedImages), "", rows}}, err
}

// fillStore fetches images of one layer and different configs, and checks that
// all of them are listed.
func (b *bench) fillStore(ctx context.Context) error {
	dir := b.path("many")
	l, err := writeLayout(dir, idleCommand(), idleLayer)
	if err != nil {
		return err
	}
	if err := l.variants(storedImages); err != nil {
		return err
	}
	for names := range chunks(storedImages, 100) {
		args := []string{"fetch", "--quiet"}
		for _, n := range names {
			args = append(args, fmt.Sprintf("oci:%s:v%d", dir, n))
		}
		if _, err := b.plain.measureExit(ctx, b.raket.command(args...)); err != nil {
			return err
		}
	}
	_, out, err := b.plain.outputOf(ctx, b.raket.command("image", "list", "--no-legend"))
	if n := strings.Count(out, "\n"); err == nil && n <= storedImages {
		err = fmt.Errorf("%d images are listed", n)
	}
	return errors.Join(err, os.RemoveAll(dir))
}

// chunks yields 0 to n-1 in groups.
func chunks(n, size int) func(func([]int) bool) {
	return func(yield func([]int) bool) {
		for i := 0; i < n; i += size {
			var group []int
			for k := i; k < min(i+size, n); k++ {
				group = append(group, k)
			}
			if !yield(group) {
				return
			}
		}
	}
}

// memory measures the most memory that fetching takes, of images of different sizes.
func (b *bench) memory(ctx context.Context) ([]table, error) {
	rows := []row{b.noRaket.row(subFetchBig), b.noRaket.row(subFetchLarge)}
	for i, image := range []struct {
		name        string
		layers, mib int
	}{{"memory-small", 4, int(b.imageBytes / 4 >> 20)}, {"memory-large", 40, int(b.imageBytes * 7 / 40 >> 20)}} {
		if rows[i].Note != "" {
			continue
		}
		peak, err := b.peakOfFetch(ctx, image.name, image.layers, image.mib)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			rows[i] = broken(err).row(rows[i].Subject)
			continue
		}
		rows[i].Figures = []figure{summarize(figPeak, "MiB", []float64{float64(peak) / (1 << 20)})}
	}
	title := fmt.Sprintf("Most memory (resident set) while fetching from a loopback registry: %d MB in 4 layers, %d MB in 40", b.imageBytes/1e6, b.imageBytes*7/1e6)
	return []table{{scMemory, title, "", rows}}, nil
}

func (b *bench) peakOfFetch(ctx context.Context, name string, count, mib int) (peak int64, err error) {
	dir := b.path(name)
	l, err := layers.New(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var blobs []layers.Blob
	for i := range count {
		blob, err := l.PutLayer(layers.Gzip(), layers.Blocks(uint64(i+1), mib))
		if err != nil {
			return 0, err
		}
		blobs = append(blobs, blob)
	}
	if err := l.Finish(blobs...); err != nil {
		return 0, err
	}
	ref, err := b.registry.push(ctx, layout{Dir: dir}, name)
	if err != nil {
		return 0, err
	}
	store := filepath.Join(dir, "store")
	var stderr bytes.Buffer
	peak, err = layers.Peak(ctx, io.Discard, &stderr, b.raket.bin, "--dir="+store, "fetch", "--insecure-options=http", "docker://"+ref)
	if err != nil {
		err = fmt.Errorf("%w: %.300s", err, stderr.String())
	}
	return peak, err
}
