package tree

import (
	"context"
	"slices"
)

// Stack returns the directories of the trees, given bottom first, as overlayfs
// wants its lowerdir: absolute, top first.
func (s *Store) Stack(_ context.Context, names []string) ([]string, error) {
	var dirs []string
	for _, name := range slices.Backward(names) {
		dirs = append(dirs, s.Path(name))
	}
	return dirs, nil
}

// StackNames is which trees Stack may use for these.
func (s *Store) StackNames(names []string) []string { return names }
