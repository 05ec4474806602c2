package appc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/progress"
)

// url fetches what a URL names.
func (f *fetcher) url(ctx context.Context, w wish, ref image.Ref) (image.Image, error) {
	if !f.Update {
		img, err := f.Store.Lookup(ref)
		if err == nil && f.accepts(img) {
			return img, nil
		}
		if err != nil && !errors.Is(err, imagestore.ErrNotFound) {
			return image.Image{}, err
		}
	}
	asc := w.signature
	if asc == "" {
		asc = ascURL(ref.URL)
	}
	return f.remote(ctx, w, ref.URL, asc, ref, []string{ref.String()})
}

// name finds an image by its name, in the store or by discovery.
func (f *fetcher) name(ctx context.Context, w wish) (image.Image, error) {
	n := *w.name
	if !f.Update {
		found, err := matching(ctx, f.Store, n)
		if err != nil {
			return image.Image{}, err
		}
		for _, img := range found {
			if w.hasID(img) && f.accepts(img) {
				return img, nil
			}
		}
		if len(found) > 0 && !n.Discoverable() {
			return image.Image{}, fmt.Errorf("%q: the image in the store is not signed", n.String())
		}
	}
	if err := f.hold(); err != nil {
		return image.Image{}, err
	}
	ref := image.Ref{Transport: image.ByName, Name: n.String()}
	names := []string{bareName(n.App, n.wanted()[labelVersion])}
	if s := n.String(); s != names[0] && s != n.App {
		names = append(names, s)
	}
	if r, ok := f.fresh(n.key()); ok {
		if img, ok := f.withBlob(r.Blob); ok {
			return f.known(ctx, w, img, ref, names)
		}
	}
	eps, err := f.client.endpoints(ctx, n)
	if err != nil {
		return image.Image{}, err
	}
	if f.Discovered != nil {
		if err := f.Discovered(ctx, n.App); err != nil {
			return image.Image{}, err
		}
	}
	for _, ep := range eps {
		asc := w.signature
		if asc == "" {
			asc = ep.ASC
		}
		var img image.Image
		img, err = f.remote(ctx, w, ep.ACI, asc, ref, names)
		if err == nil {
			return img, nil
		}
		err = fmt.Errorf("fetch %q: %w", ep.ACI, err)
		// Another place may have it. What was there and is wrong is not
		// looked for elsewhere.
		if _, passing := isPassing(err); !passing && !isMissing(err) && !errors.Is(err, errPlace) {
			return image.Image{}, err
		}
	}
	var unsigned *noSignature
	if isMissing(err) && !errors.As(err, &unsigned) {
		err = fmt.Errorf("%q: %w: %w", n.String(), ErrNoImage, err)
	}
	return image.Image{}, err
}

// fresh is what a site said of a URL or a name, where it need not be asked again.
// What another process asked since this one began is fresh too.
func (f *fetcher) fresh(key string) (imagestore.Remote, bool) {
	r, ok := f.Store.Remote(key)
	if !ok || r.Checked.After(time.Now()) {
		return r, false // the clock was set back
	}
	return r, r.Checked.After(f.begun) || !f.IgnoreMaxAge && r.Fresh.After(time.Now())
}

// known is for an image in the store that a site still has: what it depends on
// is looked at too.
func (f *fetcher) known(ctx context.Context, w wish, img image.Image, origin image.Ref, names []string) (image.Image, error) {
	manifest, err := f.Store.Config(ctx, img)
	if err != nil {
		return image.Image{}, err
	}
	a, err := fromStore(img, manifest)
	if err != nil {
		return image.Image{}, err
	}
	if err := w.check(&a, f); err != nil {
		return image.Image{}, err
	}
	return f.assemble(ctx, w, &a, img.Evidence, origin, names)
}

// remote fetches an ACI from a URL.
func (f *fetcher) remote(ctx context.Context, w wish, url, asc string, origin image.Ref, names []string) (image.Image, error) {
	if err := f.hold(); err != nil {
		return image.Image{}, err
	}
	r, fresh := f.fresh(url)
	if fresh {
		if img, ok := f.withBlob(r.Blob); ok {
			return f.known(ctx, w, img, origin, names)
		}
	}
	a, evidence, err := f.get(ctx, w, url, &signature{at: asc})
	if err != nil {
		return image.Image{}, err
	}
	return f.assemble(ctx, w, a, evidence, origin, names)
}

// get downloads an ACI, verifies it, and brings its file and tree into the store.
// What was begun by another process, and is bad as a whole, is downloaded again.
func (f *fetcher) get(ctx context.Context, w wish, url string, sig *signature) (a *archive, evidence []image.Evidence, err error) {
	_, _, known := f.cached(url)
	deferred := false
	if f.Verify != nil && known.ID == "" {
		now, err := sig.get(ctx, f.client)
		if isMissing(err) {
			// Without the image the signature is no news.
			if gone := f.client.probe(ctx, url); gone != nil {
				err = gone
			}
		}
		if err != nil {
			return nil, nil, err
		}
		deferred = !now
	}
	d, err := f.Store.Download(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	// Another process may have been at it meanwhile.
	cached, have, known := f.cached(url)
	for {
		t := f.transfer(url, d, w)
		path := t.path()
		if have {
			t.cached = cached
		}
		if r, now := f.fresh(url); now && have && r.Checked.After(f.begun) {
			err, t.remote = errNotModified, r
		} else {
			err = t.run(ctx)
		}
		switch {
		case errors.Is(err, errNotModified):
			path = f.Store.BlobPath(t.remote.Blob)
			if known.ID != "" {
				return f.unchanged(ctx, w, known, t.remote, url, d)
			}
		case err != nil:
			return nil, nil, placed(err)
		}
		if f.Verify != nil && (deferred || sig.raw == nil) {
			if err := sig.again(ctx, f.client); err != nil {
				return nil, nil, err
			}
		}
		a, evidence, err = f.admit(ctx, w, path, sig)
		if err != nil {
			if t.resumed && ctx.Err() == nil {
				if wiped := d.Wipe(); wiped == nil {
					continue // the beginning may be another file's
				}
			}
			return nil, nil, errors.Join(err, d.Remove())
		}
		if err := f.addLayer(ctx, a, path, nil); err != nil {
			return nil, nil, err
		}
		t.remote.Blob = a.layer.Digest
		return a, evidence, errors.Join(f.record(w, url, t.remote), d.Remove())
	}
}

// cached is what the store has of a URL, and an acceptable image of it, if it
// has one.
func (f *fetcher) cached(url string) (r imagestore.Remote, have bool, known image.Image) {
	if r, have = f.Store.Remote(url); have {
		known, _ = f.withBlob(r.Blob)
	}
	return r, have, known
}

func (f *fetcher) unchanged(ctx context.Context, w wish, img image.Image, r imagestore.Remote, url string, d *imagestore.Download) (*archive, []image.Evidence, error) {
	manifest, err := f.Store.Config(ctx, img)
	if err != nil {
		return nil, nil, err
	}
	a, err := fromStore(img, manifest)
	if err == nil {
		err = w.check(&a, f)
	}
	if err != nil {
		return nil, nil, err
	}
	return &a, img.Evidence, errors.Join(f.record(w, url, r), d.Remove())
}

// record notes what the site said, for the URL and for the name that led there.
func (f *fetcher) record(w wish, url string, r imagestore.Remote) error {
	err := f.Store.PutRemote(url, r)
	if w.name != nil {
		err = errors.Join(err, f.Store.PutRemote(w.name.key(), r))
	}
	return err
}

func (f *fetcher) transfer(url string, d *imagestore.Download, w wish) *transfer {
	limit := f.MaxBytes
	if w.size > 0 {
		limit = min(limit, w.size)
	}
	return &transfer{c: f.client, url: url, dir: d.Dir(), limit: limit, start: func(total int64) *progress.Bar {
		return f.Progress.Start(label(w, url), total)
	}}
}

const maxLabelBytes = 40

// label names a download in a column of them.
func label(w wish, url string) string {
	s := url
	if w.name != nil {
		s = w.name.String()
	}
	if len(s) > maxLabelBytes {
		s = "..." + s[len(s)-maxLabelBytes+3:]
	}
	return s
}

// errPlace marks errors that say nothing of another place for the same image.
var errPlace = errors.New("cannot fetch from there")

type placeError struct{ error }

func (e placeError) Unwrap() []error { return []error{e.error, errPlace} }

// placed marks a URL that can't be asked at all.
func placed(err error) error {
	var h *Error
	if errors.As(err, &h) {
		return placeError{err}
	}
	return err
}
