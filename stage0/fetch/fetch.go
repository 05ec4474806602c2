package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
)

// Fetch brings the image into the store, unless the pull policy finds it
// there, and returns it. Concurrent fetches share work. The error is one line;
// nothing is left visible of a fetch that fails. It wraps
// imagestore.ErrNotFound where only the store was asked, in vain.
func Fetch(ctx context.Context, opts Options) (image.Image, error) {
	ref, err := image.Parse(opts.Name)
	if err != nil {
		return image.Image{}, err
	}
	wd, err := os.Getwd()
	if err != nil {
		return image.Image{}, fmt.Errorf("find working directory: %w", err)
	}
	ref = ref.Abs(wd)
	platform, err := parsePlatform(opts.Platform)
	if err != nil {
		return image.Image{}, err
	}
	switch opts.PullPolicy {
	case "":
		opts.PullPolicy = New
	case Never, New, Update:
	default:
		return image.Image{}, fmt.Errorf("unknown pull policy %q: want never, new or update", opts.PullPolicy)
	}
	if ref.Transport == image.ByName {
		return fetchName(ctx, ref, platform, opts)
	}
	return fetchRef(ctx, ref, platform, opts)
}

// fetchRef fetches what is not a bare name.
func fetchRef(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	if ref.InStore() || opts.PullPolicy == Never {
		img, err := opts.Store.Lookup(ref)
		if err == nil {
			err = opts.accept(ref, img)
		}
		return img, err
	}
	if opts.PullPolicy == New && ref.Transport == image.Docker {
		img, err := opts.Store.Lookup(ref)
		// What is in the store and not accepted may have got its signature since.
		if err == nil && p.matches(img.OS, img.Arch) && opts.accept(ref, img) == nil {
			return img, nil
		}
		if err != nil && !errors.Is(err, imagestore.ErrNotFound) {
			return image.Image{}, err
		}
	}
	return fetchFrom(ctx, ref, p, opts)
}

// fetchName fetches what may be a name in the store, a short name that the
// host's configuration has an alias for, or an appc name that leads to a site.
func fetchName(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	img, name, err := opts.Store.Find(ref)
	if err == nil {
		// By whatever name it is in the store, an update is asked of where it is from.
		if full, perr := image.Parse(name); perr == nil && opts.PullPolicy == Update && full.Transport == image.Docker {
			return fetchRef(ctx, full, p, opts)
		}
		return img, opts.accept(ref, img)
	}
	if !errors.Is(err, imagestore.ErrNotFound) || opts.PullPolicy == Never {
		return image.Image{}, err
	}
	reg, regErr := opts.Host.registries()
	if regErr != nil {
		return image.Image{}, regErr
	}
	full, ok, aliasErr := reg.Alias(ref.Name)
	switch {
	case aliasErr != nil:
		return image.Image{}, aliasErr
	case ok:
		return fetchRef(ctx, full, p, opts)
	}
	if short := reg.ShortName(ref.Name); short != nil {
		return image.Image{}, fmt.Errorf("%w; %w", err, short)
	}
	return image.Image{}, err
}

func fetchFrom(ctx context.Context, ref image.Ref, p platform, opts Options) (img image.Image, err error) {
	// Held until the image is committed: no blob vanishes meanwhile.
	lock, err := opts.Store.FetchLock()
	if err != nil {
		return image.Image{}, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if err := opts.Store.SweepLeftovers(); err != nil {
		return image.Image{}, err
	}
	if ref.Transport == image.ACIFile {
		return fetchACI(ctx, ref, p, opts)
	}
	return fetchOCI(ctx, ref, p, opts)
}

// hostPlatform is what images run on here.
func hostPlatform() platform { return platform{os: "linux", arch: runtime.GOARCH} }
