package approot

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/idmap"
)

// Root is the root file system of an app.
type Root struct {
	Target string // an existing directory, where the root will be
	// Lowers are absolute directories, the top one first. None: Target's own
	// content is the root.
	Lowers []string
	Upper  string // absolute; empty directories on a file system that overlayfs can write to
	Work   string
	// Label is the SELinux context of the overlay's files; empty for their own.
	Label string
	Binds []Bind
	Files []File
	// WorkDir is made if it is missing and can be made.
	WorkDir string
	// IDs has layers, the root of no layers, and binds that ask for it seen under the
	// pod's own IDs; nil for the host's. The layers' directories are seen so by the whole
	// mount namespace from then on, which has to be the pod's (see Isolate).
	IDs *idmap.Map
	// common is a layer that is under the pod's IDs by itself.
	common string
}

// Bind is a file or directory of the host's in the root.
type Bind struct {
	Source string // absolute
	Target string // absolute in the root; made if missing
	// Self binds the target to itself, for a directory that stays writable in a
	// root that does not. There is no Source.
	Self     bool
	ReadOnly bool
	// Devices lets device nodes below a directory work. A file that is a device
	// always does.
	Devices   bool
	NoSUID    bool // set-user-ID bits and file capabilities have no effect
	Recursive bool // with what is mounted below Source
	IDMap     bool // seen under the pod's own IDs
}

// File is a file that is put into the root, in place of what the image has
// there.
type File struct {
	Path    string // absolute in the root
	Content string
}

// Isolate gives the calling thread, which must be locked to its goroutine, a
// mount namespace of its own. Mounts made and undone on the host still arrive
// in it; nothing made in it reaches the host.
func Isolate() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	return nil
}

// Mount assembles the root at r.Target.
func (r Root) Mount() (err error) {
	if err := r.mountBase(); err != nil {
		return fmt.Errorf("assemble root %s: %w", r.Target, err)
	}
	root, err := unix.Open(r.Target, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("assemble root %s: %w", r.Target, err)
	}
	defer func() { err = errors.Join(err, unix.Close(root)) }()
	for _, f := range r.Files {
		if err := r.IDs.As(func() error { return writeFile(root, f) }); err != nil {
			return fmt.Errorf("write %s in the app's root: %w", f.Path, err)
		}
	}
	for _, b := range r.Binds {
		if err := b.mount(root, r.IDs); err != nil {
			return fmt.Errorf("mount %s on %s in the app's root: %w", b.Source, b.Target, err)
		}
	}
	r.makeWorkDir(root)
	return nil
}

// makeWorkDir makes the working directory, last, so that one in a volume is there. Where it
// cannot be made, entering it fails and says why.
func (r Root) makeWorkDir(root int) {
	if r.WorkDir == "" {
		return
	}
	_ = r.IDs.As(func() error {
		fd, err := makeDirs(root, r.WorkDir)
		if err != nil {
			return err
		}
		return unix.Close(fd)
	})
}

func (r Root) mountBase() error {
	if len(r.Lowers) == 0 {
		return r.mountPlain()
	}
	if err := r.mapLayers(); err != nil {
		return err
	}
	dirs, closeAll, err := descriptors(append(slices.Clone(r.Lowers), r.Upper, r.Work))
	if err != nil {
		return err
	}
	defer closeAll()
	n := len(r.Lowers)
	options := "lowerdir=" + strings.Join(dirs[:n], ":") + ",upperdir=" + dirs[n] + ",workdir=" + dirs[n+1]
	if r.Label != "" {
		options += `,context="` + r.Label + `"`
	}
	if len(options) >= os.Getpagesize() {
		return fmt.Errorf("too many layers (%d)", n)
	}
	// Whoever mounts an overlay makes its files of work: on a map that has no root of the
	// host's it would come out read-only.
	err = r.IDs.As(func() error { return unix.Mount("overlay", r.Target, "overlay", unix.MS_NODEV, options) })
	if err != nil {
		if r.IDs != nil && errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("mount an overlay of layers under the pod's user IDs (Linux 5.19 and later can; --no-overlay copies instead): %w", err)
		}
		return fmt.Errorf("mount an overlay (does the file system of %s support it? --no-overlay copies instead): %w", r.Upper, err)
	}
	return nil
}

// descriptors opens directories and returns short paths of them. Paths are long, many, and
// may hold what separates them: descriptors are none of these. mount(2) takes one page of
// options; and each program that looks at the mount table, as Go's do at their start, reads
// all of them.
func descriptors(dirs []string) (paths []string, closeAll func(), err error) {
	var fds []int
	closeAll = func() {
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
	}
	for _, dir := range dirs {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("layer %s: %w", dir, err)
		}
		fds = append(fds, fd)
		paths = append(paths, "/proc/self/fd/"+strconv.Itoa(fd))
	}
	return paths, closeAll, nil
}

// mount attaches a copy of the source's mount. The copy is finished before it is
// attached, and the target is resolved once: other processes may be at work in
// the volumes that lead to it.
func (b Bind) mount(root int, ids *idmap.Map) (err error) {
	dir := true
	if !b.Self {
		var st unix.Stat_t
		if err := unix.Stat(b.Source, &st); err != nil {
			return err
		}
		dir = st.Mode&unix.S_IFMT == unix.S_IFDIR
	}
	target := -1
	err = ids.As(func() (err error) {
		target, err = makeTarget(root, b.Target, dir)
		return err
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(target)) }()
	if err := checkTarget(root, target, dir); err != nil {
		return err
	}
	tree, err := b.copyMount(target, dir, ids)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unix.Close(tree)) }()
	return unix.MoveMount(tree, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

// copyMount returns a detached mount of the source or, of Self, of the target.
func (b Bind) copyMount(target int, dir bool, ids *idmap.Map) (tree int, err error) {
	var flags uint = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if b.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	if b.Self {
		tree, err = unix.OpenTree(target, "", flags|unix.AT_EMPTY_PATH)
	} else {
		tree, err = unix.OpenTree(unix.AT_FDCWD, b.Source, flags)
	}
	var attr unix.MountAttr
	if b.ReadOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	if b.NoSUID {
		attr.Attr_set |= unix.MOUNT_ATTR_NOSUID
	}
	if dir && !b.Devices {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	if b.IDMap && !b.Self && !ids.Shows(b.Source) {
		ids.Attr(&attr)
	}
	if err != nil || attr.Attr_set == 0 {
		return tree, err
	}
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|flags&unix.AT_RECURSIVE, &attr); err != nil {
		if attr.Attr_set&unix.MOUNT_ATTR_IDMAP != 0 {
			err = idmap.Explain(b.Source, err)
		}
		return -1, errors.Join(err, unix.Close(tree))
	}
	return tree, nil
}

// checkTarget refuses a target of another kind than the source, and the root
// itself: there a volume would be put in its place, and what follows below it.
func checkTarget(root, target int, dir bool) error {
	var top, st unix.Stat_t
	if err := errors.Join(unix.Fstat(root, &top), unix.Fstat(target, &st)); err != nil {
		return err
	}
	switch isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR; {
	case st.Dev == top.Dev && st.Ino == top.Ino:
		return errors.New("it is the root itself")
	case dir && !isDir:
		return unix.ENOTDIR
	case !dir && isDir:
		return unix.EISDIR
	}
	return nil
}
