package tree

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/layer"
)

const (
	emptyName   = "empty"
	patchPrefix = "patch-"
)

// Stack returns the directories of the trees, given bottom first, as overlayfs
// wants its lowerdir: absolute, top first. Where layers imply directories that
// lower layers describe, a patch is on top; it is made on first use. Without
// names the stack is one empty tree.
func (s *Store) Stack(ctx context.Context, names []string) ([]string, error) {
	var dirs []string
	for _, name := range slices.Backward(names) {
		dirs = append(dirs, s.Path(name))
	}
	if len(dirs) == 0 {
		return []string{s.Path(emptyName)}, s.add(ctx, emptyName, nil)
	}
	patch := patchName(names)
	if s.Has(patch) {
		return slices.Insert(dirs, 0, s.Path(patch)), nil
	}
	fixes, err := s.fixes(names, dirs)
	if err != nil {
		return nil, fmt.Errorf("stack trees: %w", err)
	}
	if len(fixes) == 0 {
		return dirs, nil
	}
	if err := s.add(ctx, patch, fixes); err != nil {
		return nil, fmt.Errorf("stack trees: %w", err)
	}
	return slices.Insert(dirs, 0, s.Path(patch)), nil
}

// StackNames is which trees Stack may use for these.
func (s *Store) StackNames(names []string) []string {
	if len(names) == 0 {
		return []string{emptyName}
	}
	return append(slices.Clone(names), patchName(names))
}

func patchName(names []string) string {
	sum := sha256.Sum256([]byte(strings.Join(names, "\n")))
	return patchPrefix + hex.EncodeToString(sum[:])
}

// fix is a directory as the merged view should have it.
type fix struct {
	name string
	st   unix.Stat_t
}

// fixes lists the directories whose uppermost tree only implies them, though a
// lower one describes them, with their parents, parents first.
func (s *Store) fixes(names, dirs []string) ([]fix, error) {
	implied := make([]map[string]bool, len(dirs)) // top first, as dirs
	upper := map[string]bool{}                    // implied above the bottom
	for i, name := range names {
		at := len(names) - 1 - i
		implied[at] = map[string]bool{}
		stats, err := s.Stats(name)
		if err != nil {
			return nil, err
		}
		for _, dir := range stats.Implied {
			implied[at][dir] = true
			if i > 0 {
				upper[dir] = true
			}
		}
	}
	found := map[string]fix{}
	for dir := range upper {
		if err := findFix(dirs, implied, dir, found); err != nil {
			return nil, err
		}
	}
	var list []fix
	for _, f := range found {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b fix) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// findFix adds dir and its parents to found, if dir needs it.
func findFix(dirs []string, implied []map[string]bool, dir string, found map[string]fix) error {
	m, err := openMerged(View{Lowers: dirs})
	if err != nil {
		return err
	}
	defer m.close()
	var way []fix
	name, needed := "", false
	for elem := range strings.SplitSeq(dir, "/") {
		parts, _, _, err := lookup(m.at[len(m.at)-1], elem)
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
		if parts == nil {
			return nil // hidden by a layer above, or no directory there
		}
		m.at = append(m.at, parts)
		name = strings.TrimPrefix(name+"/"+elem, "/")
		best := parts[0]
		for _, p := range parts {
			if !implied[p.layer][name] {
				best = p
				break
			}
		}
		needed = best != parts[0]
		f := fix{name: name}
		if err := unix.Fstat(best.fd, &f.st); err != nil {
			return err
		}
		way = append(way, f)
	}
	if needed {
		for _, f := range way {
			found[f.name] = f
		}
	}
	return nil
}

// add makes and publishes a tree of directories.
func (s *Store) add(ctx context.Context, name string, fixes []fix) error {
	st, err := s.Begin(ctx, name)
	if err != nil || st == nil {
		return err
	}
	err = st.finishPatch(fixes)
	if err == nil {
		err = syncFS(st.Dir())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make tree %s: %w", name, err), st.Discard())
	}
	return st.Publish()
}

func (st *Staging) finishPatch(fixes []fix) error {
	if err := fillPatch(st.Dir(), fixes); err != nil {
		return err
	}
	return st.finish(layer.Stats{Entries: int64(len(fixes))})
}

func fillPatch(dir string, fixes []fix) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range fixes {
		if err := root.Mkdir(f.name, 0o700); err != nil {
			return err
		}
	}
	for _, f := range slices.Backward(fixes) { // a child changes its parent's time
		d, err := root.Open(f.name)
		if err != nil {
			return err
		}
		fd := int(d.Fd())
		err = unix.Fchown(fd, int(f.st.Uid), int(f.st.Gid))
		if err == nil {
			err = unix.Fchmod(fd, f.st.Mode&0o7777)
		}
		if err == nil {
			err = unix.UtimesNanoAt(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd), []unix.Timespec{f.st.Mtim, f.st.Mtim}, 0)
		}
		if err := errors.Join(err, d.Close()); err != nil {
			return err
		}
	}
	return nil
}

func syncFS(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
