package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/progress"
	"github.com/raket/raket/stage0/fetch/appc"
	"github.com/raket/raket/stage0/trust/policy"
)

// Fetch brings the image into the store, unless the pull policy finds it
// there, and returns it. Concurrent fetches share work. The error is one line;
// nothing is left visible of a fetch that fails. It wraps
// imagestore.ErrNotFound where only the store was asked, in vain.
func Fetch(ctx context.Context, opts Options) (image.Image, error) {
	img, err := fetch(ctx, opts)
	n := progress.Note{Kind: progress.Done, Image: opts.Name, ID: image.FullID(img)}
	if err != nil {
		n = progress.Note{Kind: progress.Failed, Image: opts.Name, Text: err.Error()}
	}
	opts.Progress.Note(n)
	return img, err
}

func fetch(ctx context.Context, opts Options) (image.Image, error) {
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
	var refused error
	if opts.PullPolicy == New && ref.Transport == image.Docker {
		img, err := opts.Store.Lookup(ref)
		switch {
		case err == nil && p.matches(img.OS, img.Arch):
			if refused = opts.accept(ref, img); !mayBeSigned(refused) {
				opts.note(progress.Present, "")
				// Who fetches it will use it. Where it can't be noted it is not.
				_ = opts.Store.Touch(img)
				return img, refused
			}
		case err != nil && !errors.Is(err, imagestore.ErrNotFound):
			return image.Image{}, err
		}
	}
	if ref.Transport == image.ACIFile || ref.Transport == image.ACIURL {
		return fetchACI(ctx, ref, p, opts)
	}
	img, err := fetchOCI(ctx, ref, p, opts)
	if err != nil && refused != nil && !mayBeSigned(err) {
		err = fmt.Errorf("%w; and asking for it again failed: %w", refused, err)
	}
	return img, err
}

// mayBeSigned reports a refusal for want of a signature: the image may have got one
// since it was fetched.
func mayBeSigned(refused error) bool {
	var r *policy.RefusedError
	return errors.As(refused, &r) && r.Unsigned()
}

// fetchName fetches what may be a name in the store, a short name that the
// host's configuration has an alias for, or an appc name that leads to a site.
func fetchName(ctx context.Context, ref image.Ref, p platform, opts Options) (image.Image, error) {
	name, nameErr := appc.ParseName(ref.Name)
	img, full, err := opts.Store.Find(ref)
	if errors.Is(err, imagestore.ErrNotFound) && nameErr == nil && len(name.Labels) > 0 {
		img, err = appc.Lookup(ctx, opts.Store, name)
	}
	if err != nil && !errors.Is(err, imagestore.ErrNotFound) {
		return image.Image{}, err
	}
	found, onWeb := err == nil, nameErr == nil && name.Discoverable()
	switch {
	case opts.PullPolicy == Never && !found:
		return image.Image{}, err
	case opts.PullPolicy == Never:
		return img, opts.accept(ref, img)
	case found && img.Kind == image.Appc && onWeb:
		return fetchACI(ctx, ref, p, opts)
	case found:
		// Where it is from is asked for an update, and for a signature that it lacks.
		refused := opts.accept(ref, img)
		if origin, err := image.Parse(full); err == nil && origin.Transport == image.Docker && (mayBeSigned(refused) || opts.PullPolicy == Update) {
			return fetchRef(ctx, origin, p, opts)
		}
		return img, refused
	}
	reg, regErr := opts.Host.registries()
	if regErr != nil {
		return image.Image{}, regErr
	}
	switch alias, ok, aliasErr := reg.Alias(ref.Name); {
	case aliasErr != nil:
		return image.Image{}, aliasErr
	case ok:
		return fetchRef(ctx, alias, p, opts)
	case onWeb:
		return fetchACI(ctx, ref, p, opts)
	}
	if short := reg.ShortName(ref.Name); short != nil {
		return image.Image{}, fmt.Errorf("%w, and %w", err, short)
	}
	return image.Image{}, err
}

// hostPlatform is what images run on here.
func hostPlatform() platform { return platform{os: "linux", arch: runtime.GOARCH} }
