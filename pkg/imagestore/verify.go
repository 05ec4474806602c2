package imagestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/layer"
	"github.com/raket/raket/pkg/tree"
)

// Difference is something on disk that is not what an image's digests say.
type Difference struct {
	// Of is "manifest", "config", "record", "layer" (its blob) or "tree".
	Of string
	// Name is a digest, or the name of a tree.
	Name string
	// Path is within a tree; any bytes. "." is the tree's root, "" means all.
	Path string
	// How is "missing", "extra", "type", "content", "mode", "owner", "time",
	// "xattr" or "hard link".
	How string
}

// String is one line, names quoted where they need it.
func (d Difference) String() string {
	s := d.Of + " " + d.Name
	if d.Path != "" {
		s += fmt.Sprintf(" %q", d.Path)
	}
	switch d.How {
	case string(tree.Missing):
		return s + ": missing"
	case string(tree.Extra):
		return s + ": not in the image"
	}
	return s + ": " + d.How + " differs"
}

// CheckOptions say what Check does about differences.
type CheckOptions struct {
	// Repair puts a tree that differs back as its blob has it, and removes
	// blobs that are not what their digests say, so that a fetch brings them
	// again.
	Repair bool
	// Running tells which running pods use each image; Repair leaves alone
	// what they use. Nil means there are none.
	Running InUse
}

// Checked is what Check found and did.
type Checked struct {
	// Differences are those that there were before any repair.
	Differences []Difference
	// Repaired are the trees and blobs that are right, or removed, now.
	Repaired []string
	// Unchecked says what could not be checked and why; "" where all was.
	Unchecked string
}

// Unrepaired are the differences that are still there.
func (c Checked) Unrepaired() []Difference {
	var left []Difference
	for _, d := range c.Differences {
		if d.Of != "tree" || !slices.Contains(c.Repaired, d.Name) {
			left = append(left, d)
		}
	}
	return left
}

// checker is one call of Check.
type checker struct {
	store *Store
	opts  CheckOptions
	img   image.Image
	done  Checked
}

// Check reads all of an image and of what it depends on, holds its manifest, config and blobs against their
// digests, and each tree against what its blob unpacks to. For that a copy of one
// tree at a time is made beside the trees. An error means that the check could
// not go on, or that a repair was refused: it wraps ErrInUse where running pods
// use the image, ErrReadOnly where it is in a read-only store.
func (s *Store) Check(ctx context.Context, img image.Image, opts CheckOptions) (_ Checked, err error) {
	c := &checker{store: s, opts: opts, img: img}
	lock, err := s.FetchLock() // no blob or tree goes meanwhile
	if err != nil {
		return c.done, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	images, err := s.Closure(img)
	if err != nil {
		return c.done, err
	}
	whole := true
	for _, i := range images {
		ok, err := c.image(ctx, i)
		if err != nil {
			return c.done, err
		}
		whole = whole && ok
	}
	if !whole {
		return c.done, nil
	}
	return c.done, c.made(ctx)
}

// image checks one image, without what it depends on, and reports whether its
// layers' trees are right now.
func (c *checker) image(ctx context.Context, img image.Image) (whole bool, err error) {
	v, whole, err := c.documents(ctx, img)
	if err != nil || !whole {
		return false, err
	}
	for _, l := range bySize(v.Layers()) {
		ok, err := c.layer(ctx, l)
		if err != nil {
			return false, err
		}
		whole = whole && ok
	}
	return whole, nil
}

// Verify is Check whose differences are an error.
func (s *Store) Verify(ctx context.Context, img image.Image) error {
	done, err := s.Check(ctx, img, CheckOptions{})
	errs := []error{err}
	for _, d := range done.Differences {
		errs = append(errs, errors.New(d.String()))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("verify image %s: %w", image.ShortID(img), err)
	}
	return nil
}

func (c *checker) differs(d Difference) { c.done.Differences = append(c.done.Differences, d) }

// documents checks manifest, config and record. It reports false where layers
// can't be checked for want of these.
func (c *checker) documents(ctx context.Context, img image.Image) (image.Verified, bool, error) {
	whole := true
	for _, doc := range []struct {
		of    string
		id    digest.Digest
		limit int64
	}{{"manifest", img.ID, image.MaxManifestBytes}, {"config", img.Config, image.MaxConfigBytes}} {
		_, err := c.store.readBlob("image "+doc.of, doc.id, doc.limit)
		var wrong *image.DigestError
		how := tree.Content
		switch {
		case err == nil:
			continue
		case errors.Is(err, fs.ErrNotExist):
			how = tree.Missing
		case !errors.As(err, &wrong):
			return image.Verified{}, false, err
		}
		whole = false
		c.done.Unchecked = "layers and trees, for want of a " + doc.of
		c.differs(Difference{Of: doc.of, Name: doc.id.String(), How: string(how)})
		if err := c.dropBlob(doc.id, how); err != nil {
			return image.Verified{}, false, err
		}
	}
	if !whole {
		return image.Verified{}, false, nil
	}
	v, err := c.store.Verified(ctx, img)
	if err != nil {
		return v, false, err
	}
	want := v.Image()
	// What a record alone knows.
	want.Names, want.Origin, want.Evidence = img.Names, img.Origin, img.Evidence
	want.Imported, want.LastUsed = img.Imported, img.LastUsed
	if want.Layers == nil {
		want.Layers = img.Layers[:0] // an empty list and none are one here
	}
	if !reflect.DeepEqual(want, img) {
		c.differs(Difference{Of: "record", Name: img.ID.String(), How: string(tree.Content)})
	}
	return v, true, nil
}

// layer checks a blob and its tree, and reports whether the tree is right now.
func (c *checker) layer(ctx context.Context, l image.VerifiedLayer) (whole bool, err error) {
	desc := l.Layer()
	name := tree.Name(l.Kind(), desc.DiffID)
	if !c.store.HasBlob(desc.Digest) {
		c.differs(Difference{Of: "layer", Name: desc.Digest.String(), How: string(tree.Missing)})
		c.done.Unchecked = "trees, for want of their layers"
		return false, nil
	}
	c.store.step("check " + name)
	stage, err := c.store.trees.BeginCopy(ctx, name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, stage.Discard()) }()
	f, err := c.store.OpenBlob(desc.Digest)
	if err != nil {
		return false, err
	}
	unpacked, err := layer.Unpack(ctx, f, l, stage.Dir(), layer.Options{})
	if err != nil {
		return false, c.badBlob(ctx, l, err)
	}
	if err := stage.Finish(l.Kind(), unpacked); err != nil {
		return false, err
	}
	return c.tree(ctx, stage)
}

// badBlob tells a blob that is not what it should be from a disk that is full.
func (c *checker) badBlob(ctx context.Context, l image.VerifiedLayer, unpackErr error) error {
	id := l.Layer().Digest
	f, err := c.store.OpenBlob(id)
	if err != nil {
		return err
	}
	err = layer.Verify(ctx, f, l, io.Discard, nil)
	var wrong *image.DigestError
	var size *layer.SizeError
	if !errors.As(err, &wrong) && !errors.As(err, &size) {
		return errors.Join(unpackErr, err)
	}
	c.differs(Difference{Of: "layer", Name: id.String(), How: string(tree.Content)})
	c.done.Unchecked = "trees, for want of their layers"
	return c.dropBlob(id, tree.Content)
}

// dropBlob removes a bad blob where repair is asked for.
func (c *checker) dropBlob(id digest.Digest, how tree.How) error {
	if !c.opts.Repair || how == tree.Missing {
		return nil
	}
	path := c.store.BlobPath(id)
	if path != c.store.ownBlobPath(id) {
		return fmt.Errorf("repair %s: %w", id, ErrReadOnly)
	}
	c.store.step("remove bad blob")
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	c.done.Repaired = append(c.done.Repaired, id.String())
	return nil
}

// tree compares a tree with its copy, and reports whether it is right now.
func (c *checker) tree(ctx context.Context, stage *tree.Staging) (bool, error) {
	before := len(c.done.Differences)
	err := stage.Compare(ctx, func(d tree.Difference) {
		if d.Beside {
			d.Path = "(" + d.Path + ")"
		}
		c.differs(Difference{Of: "tree", Name: stage.TreeName(), Path: d.Path, How: string(d.How)})
	})
	if err != nil || len(c.done.Differences) == before {
		return err == nil, err
	}
	if !c.opts.Repair {
		return false, nil
	}
	return true, c.repair(stage.TreeName(), func() error {
		if err := c.store.sync.sync(c.store.trees.Dir()); err != nil {
			return err
		}
		c.store.step("replace tree " + stage.TreeName())
		return stage.Replace()
	})
}

// made checks the trees that were made of an image's layers: one that whitelists
// have let files pass into, and one that lies over the others, if there is to be
// one. The layers' trees are right.
func (c *checker) made(ctx context.Context) error {
	all, err := c.store.recordsFor(c.img)
	if err != nil {
		return err
	}
	st, err := c.store.stackingOf(c.img, all)
	if err != nil || len(st.names) == 0 {
		return err
	}
	if st.parts != nil && c.store.trees.Has(st.names[0]) {
		whole, err := c.copied(ctx, func() (*tree.Staging, error) {
			return c.store.trees.BeginMergeCopy(ctx, st.names[0], st.parts)
		})
		if err != nil || !whole {
			return err
		}
	}
	return c.patch(ctx, st.names)
}

// copied compares a tree with the copy of it that begin makes.
func (c *checker) copied(ctx context.Context, begin func() (*tree.Staging, error)) (whole bool, err error) {
	stage, err := begin()
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, stage.Discard()) }()
	return c.tree(ctx, stage)
}

// patch checks the tree that lies over those of these names, bottom first.
func (c *checker) patch(ctx context.Context, names []string) (err error) {
	name := tree.PatchName(names)
	if !c.store.trees.Has(name) {
		return nil // made on first use
	}
	stage, err := c.store.trees.BeginPatchCopy(ctx, names)
	if err != nil {
		return err
	}
	if stage != nil {
		defer func() { err = errors.Join(err, stage.Discard()) }()
		_, err = c.tree(ctx, stage)
		return err
	}
	c.differs(Difference{Of: "tree", Name: name, How: string(tree.Extra)})
	if !c.opts.Repair {
		return nil
	}
	return c.repair(name, func() error {
		c.store.step("remove tree " + name)
		return c.store.trees.Remove(name)
	})
}
