package appc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/progress"
)

// Request says what to fetch and how.
type Request struct {
	Store *imagestore.Store
	// Ref is an ACIFile with an absolute path, an ACIURL, or a ByName whose Name
	// is as ParseName reads it.
	Ref image.Ref
	// Update asks sites although the store has the image: unless they said how
	// long what they sent is good, and that time has not passed. A file that is
	// unchanged is not sent again. Without Update what is in the store is used.
	Update bool
	// IgnoreMaxAge has Update ask in any case.
	IgnoreMaxAge bool
	// Signature is the path or URL of the signature of Ref's image; by default
	// it is beside the image, with ".asc" appended. Those of dependencies are
	// always looked for where discovery says.
	Signature string
	// Verify checks signatures; nil does without any.
	Verify Verify
	// Discovered is told the name, without labels, of each image that is about
	// to be fetched from its site, for keys to be found there too. Nil: nobody is.
	Discovered func(ctx context.Context, app string) error
	// Accept says whether an image in the store will do, with the evidence
	// that is recorded for it; it is asked of each dependency too. By default one with an
	// OpenPGP signature does, and any where Verify is nil.
	Accept func(image.Image) error
	HTTP   HTTP
	// OS and Arch are what the image must be for if it says, in Go's words;
	// this machine's by default. Labels in a name come first.
	OS, Arch string
	// Limits bound what an ACI unpacks to, MaxBytes the file itself (64 GiB).
	Limits   layer.Limits
	MaxBytes int64
	// Progress may be nil. It is not closed.
	Progress *progress.Display
}

// Fetch brings an ACI and all that it depends on into the store, and returns it.
// Nothing of it is parsed before its signature was verified, and nothing is
// visible in the store before all of it was. A download that is cut off, also by
// the end of this process, goes on the next time. The error is one line; it
// wraps ErrNoImage where a site has no such image, and its chain may hold an
// error with a hint (method Hint).
func Fetch(ctx context.Context, req Request) (img image.Image, err error) {
	if req.OS == "" {
		req.OS = "linux"
	}
	if req.Arch == "" {
		req.Arch = runtime.GOARCH
	}
	if req.MaxBytes <= 0 {
		req.MaxBytes = defaultMaxBytes
	}
	f := &fetcher{Request: req, client: newClient(req.HTTP), begun: time.Now(), done: map[string]image.Image{}}
	defer f.client.close()
	defer func() { err = errors.Join(err, f.release()) }()
	w := wish{signature: req.Signature}
	switch req.Ref.Transport {
	case image.ACIFile:
		return f.file(ctx, w, req.Ref)
	case image.ACIURL:
		return f.url(ctx, w, req.Ref)
	case image.ByName:
		n, err := ParseName(req.Ref.Name)
		if err != nil {
			return image.Image{}, err
		}
		n.OS, n.Arch = req.OS, appcArch(req.Arch)
		w.name = &n
		return f.name(ctx, w)
	}
	return image.Image{}, fmt.Errorf("%q names no ACI", req.Ref)
}

// fetcher is one Fetch.
type fetcher struct {
	Request
	client *client
	begun  time.Time
	done   map[string]image.Image // dependencies, by Name.key
	lock   *flock.Lock            // of the store, once something is fetched
}

// hold keeps blobs that no image refers to yet in the store until release. What
// is answered from the store alone waits for nobody.
func (f *fetcher) hold() (err error) {
	if f.lock != nil {
		return nil
	}
	if f.lock, err = f.Store.FetchLock(); err != nil {
		return err
	}
	return f.Store.SweepLeftovers()
}

func (f *fetcher) release() error {
	if f.lock == nil {
		return nil
	}
	return f.lock.Close()
}

// wish is one image that is wanted.
type wish struct {
	// name is set for what is to be discovered.
	name *Name
	// signature is where the signature is, if not beside the image.
	signature string
	// of are the names of the images that depend on this one, the first first.
	of []string
	// id and size are what one of those says of it; may be empty.
	id   string
	size int64
}

// check holds an archive against what was asked for.
func (w *wish) check(a *archive, f *fetcher) error {
	asked := Name{App: a.app, OS: f.OS, Arch: appcArch(f.Arch)}
	if w.name != nil {
		asked = *w.name
	}
	if why := asked.mismatch(a.app, a.labels); why != "" {
		return fmt.Errorf("the image is not the one asked for: %s", why)
	}
	if !strings.HasPrefix(a.appcID, w.id) {
		return fmt.Errorf("the image has ID %s, not the %s that %q depends on", a.appcID, w.id, w.of[len(w.of)-1])
	}
	if w.size > 0 && w.size != a.layer.SizeBytes && a.plainBytes > 0 && w.size != a.plainBytes {
		return fmt.Errorf("the image has %d bytes, %d uncompressed, not the %d that %q says", a.layer.SizeBytes, a.plainBytes, w.size, w.of[len(w.of)-1])
	}
	return nil
}

// file fetches from a file.
func (f *fetcher) file(ctx context.Context, w wish, ref image.Ref) (image.Image, error) {
	if err := f.hold(); err != nil {
		return image.Image{}, err
	}
	sig := signature{at: w.signature}
	if sig.at == "" {
		sig.at = ref.Path + ".asc"
	}
	if !exists(ref.Path) {
		return image.Image{}, fmt.Errorf("open %q: no such file", ref.Path)
	}
	if f.Verify != nil {
		if err := sig.again(ctx, f.client); err != nil {
			return image.Image{}, err
		}
	}
	a, evidence, err := f.admit(ctx, w, ref.Path, &sig)
	if err != nil {
		return image.Image{}, err
	}
	if err := f.addLayer(ctx, a, ref.Path, f.Progress); err != nil {
		return image.Image{}, err
	}
	return f.assemble(ctx, w, a, evidence, ref, []string{ref.String()})
}

// admit verifies the file at path, reads it, and holds it against the wish.
func (f *fetcher) admit(ctx context.Context, w wish, path string, sig *signature) (*archive, []image.Evidence, error) {
	confirm, verified := unverified, digest.Digest("")
	if f.Verify != nil {
		var err error
		if confirm, verified, err = sig.check(ctx, path, f.Verify); err != nil {
			return nil, nil, err
		}
	}
	a, err := scan(ctx, path, f.Limits.MaxBytes)
	if err != nil {
		return nil, nil, err
	}
	if verified != "" && verified != a.layer.Digest {
		return nil, nil, fmt.Errorf("%q changed while it was read", path)
	}
	if err := w.check(&a, f); err != nil {
		return nil, nil, err
	}
	e, err := confirm(a.app)
	if err != nil {
		return nil, nil, err
	}
	e.Digest = a.layer.Digest
	return &a, []image.Evidence{e}, nil
}

// addLayer brings the archive's file and tree into the store.
func (f *fetcher) addLayer(ctx context.Context, a *archive, path string, show *progress.Display) error {
	v, err := a.unresolved()
	if err != nil {
		return err
	}
	return f.Store.AddLayers(ctx, v, func(l image.VerifiedLayer) imagestore.LayerSource {
		var bar *progress.Bar
		return imagestore.LayerSource{
			Limits: f.Limits,
			Open: func(context.Context) (io.ReadCloser, error) {
				file, err := os.Open(path)
				if err == nil {
					bar = show.Start(shortDigest(l.Layer().Digest), l.Layer().SizeBytes)
				}
				return file, err
			},
			OnBytes: func(n int) { bar.Add(n) },
			OnDone:  func(ok bool) { bar.Done(ok) },
		}
	})
}

func shortDigest(d digest.Digest) string { return string(d[:min(len(d), len("sha256:")+12)]) }

// assemble finds what the archive depends on and makes the image visible.
func (f *fetcher) assemble(ctx context.Context, w wish, a *archive, evidence []image.Evidence, origin image.Ref, names []string) (image.Image, error) {
	ids, err := f.dependencies(ctx, w, a)
	if err != nil {
		return image.Image{}, err
	}
	v, err := a.verified(evidence, ids)
	if err != nil {
		return image.Image{}, err
	}
	return f.Store.Commit(ctx, v, origin, names)
}

// accepts reports that an image in the store will do, and all it depends on.
func (f *fetcher) accepts(img image.Image) bool {
	images, err := f.Store.Closure(img)
	return err == nil && !slices.ContainsFunc(images, func(i image.Image) bool {
		switch {
		case f.Accept != nil:
			return f.Accept(i) != nil
		case f.Verify != nil:
			return !signed(i)
		}
		return false
	})
}

// withBlob finds an acceptable image of the store that is this ACI file, the
// newest.
func (f *fetcher) withBlob(blob digest.Digest) (image.Image, bool) {
	all, err := f.Store.List()
	if err != nil {
		return image.Image{}, false
	}
	for _, img := range slices.Backward(all) {
		if img.Kind == image.Appc && len(img.Layers) == 1 && img.Layers[0].Digest == blob && f.accepts(img) {
			return img, true
		}
	}
	return image.Image{}, false
}
