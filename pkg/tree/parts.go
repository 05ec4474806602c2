package tree

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/raket/raket/pkg/layer"
)

// RenderPrefix begins the names of merged trees.
const RenderPrefix = "render-"

// Part is a tree that goes into a merged one, as far as whitelists let it (appc
// spec, "Filesystem Setup").
type Part struct {
	// Name is the tree's.
	Name string
	// Own has what the image of the tree lists of itself; it lets every
	// directory pass. Nil lets everything pass.
	Own PathSet
	// Above has what the images that depend on it list, directories included:
	// only what is in all of them passes.
	Above []PathSet
}

// PathSet is a set of paths, without their first slash.
type PathSet map[string]bool

// NewPathSet takes absolute paths, as a pathWhitelist has them.
func NewPathSet(paths []string) PathSet {
	set := make(PathSet, len(paths))
	for _, p := range paths {
		set[cleanPath(p)] = true
	}
	return set
}

func (p *Part) passes(name string, dir bool) bool {
	if !dir && p.Own != nil && !p.Own[name] {
		return false
	}
	for _, set := range p.Above {
		if !set[name] {
			return false
		}
	}
	return true
}

// Merge makes a tree of this name out of parts, the topmost first, unless it is
// there. What a part above has hides what lies below it, and symbolic links are
// not followed. Files are hard links to the parts' where the file system allows
// it. The tree appears whole, and after it has reached the disk.
func (s *Store) Merge(ctx context.Context, name string, parts []Part) error {
	st, err := s.Begin(ctx, name)
	if err != nil || st == nil {
		return err
	}
	stats, err := s.mergeInto(ctx, st.Dir(), parts, true)
	if err == nil {
		err = st.finish(stats)
	}
	if err == nil {
		err = syncFS(st.Dir())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make tree %s: %w", name, err), st.Discard())
	}
	return st.Publish()
}

// BeginMergeCopy makes a copy of the tree that Merge makes, to compare it with.
func (s *Store) BeginMergeCopy(ctx context.Context, name string, parts []Part) (*Staging, error) {
	st, err := s.BeginCopy(ctx, name)
	if err != nil {
		return nil, err
	}
	stats, err := s.mergeInto(ctx, st.Dir(), parts, true)
	if err == nil {
		err = st.finish(stats)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make tree %s: %w", name, err), st.Discard())
	}
	return st, nil
}

// CopyMerged is Merge into dir, an existing empty directory, where no file is
// shared with the parts. On an error dir holds remains.
func (s *Store) CopyMerged(ctx context.Context, dir string, parts []Part) error {
	if _, err := s.mergeInto(ctx, dir, parts, false); err != nil {
		return fmt.Errorf("copy trees: %w", err)
	}
	return nil
}

func (s *Store) mergeInto(ctx context.Context, dir string, parts []Part, link bool) (layer.Stats, error) {
	m, err := newMerger(dir, link)
	if err != nil {
		return layer.Stats{}, err
	}
	defer m.close()
	for i := range parts {
		if err := m.add(ctx, s, &parts[i]); err != nil {
			return layer.Stats{}, fmt.Errorf("from tree %s: %w", parts[i].Name, err)
		}
	}
	return m.stats, m.finish()
}

// cleanPath has neither a first slash nor a last one, and "" for the root.
func cleanPath(p string) string {
	var elems []string
	for elem := range strings.SplitSeq(p, "/") {
		switch elem {
		case "", ".":
		case "..":
			elems = elems[:max(0, len(elems)-1)]
		default:
			elems = append(elems, elem)
		}
	}
	return strings.Join(elems, "/")
}
