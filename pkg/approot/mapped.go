package approot

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/idmap"
)

// mountPlain makes the target's own content the root.
func (r Root) mountPlain() error {
	tree, err := unix.OpenTree(unix.AT_FDCWD, r.Target, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	// An app that may make device nodes must not be able to use them.
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NODEV}
	r.IDs.Attr(&attr)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return idmap.Explain(r.Target, err)
	}
	return unix.MoveMount(tree, "", unix.AT_FDCWD, r.Target, unix.MOVE_MOUNT_F_EMPTY_PATH)
}

// mapLayers has the layers seen under the pod's IDs. Upper and work directory are
// in one mount, as overlayfs wants them.
func (r Root) mapLayers() error {
	if r.IDs == nil {
		return nil
	}
	for _, dir := range r.Lowers {
		if dir == r.common {
			continue
		}
		if err := r.IDs.Over(dir); err != nil {
			return fmt.Errorf("layer %s: %w", dir, err)
		}
	}
	above := filepath.Dir(r.Upper)
	if filepath.Dir(r.Work) != above {
		return fmt.Errorf("%s and %s are in different directories", r.Upper, r.Work)
	}
	return r.IDs.Over(above)
}
