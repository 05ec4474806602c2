package main

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/stage2/bare"
)

// What is in this file runs with Go's runtime: few apps ask for it.

// addExtras gives the app's root the devices, and hides and protects the paths, that its command
// line has beyond those of every app.
func addExtras(p bare.Process, o options) bare.Failure {
	first := true
	for text, i := o.next(p, "-d", 0); i > 0; text, i = o.next(p, "-d", i) {
		if first {
			first = false
			const flags = unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NOEXEC | unix.MS_STRICTATIME
			if err := unix.Mount("", "/dev", "", flags, "mode=755,size=256k,nr_inodes=1024"); err != nil {
				return failure("make room in /dev", "", err)
			}
		}
		if err := addDevice(text.Text()); err != nil {
			return failure("make a device of", text.Text(), err)
		}
	}
	for path, i := o.next(p, "-i", 0); i > 0; path, i = o.next(p, "-i", i) {
		if err := cover(path.Text(), hide); err != nil {
			return failure("hide", path.Text(), err)
		}
	}
	for path, i := o.next(p, "-q", 0); i > 0; path, i = o.next(p, "-q", i) {
		if err := cover(path.Text(), lock); err != nil {
			return failure("make read-only", path.Text(), err)
		}
	}
	return bare.Failure{}
}

func failure(step, what string, err error) bare.Failure {
	f := bare.Failure{Step: step, What: what, Why: err.Error()}
	var errno unix.Errno
	if errors.As(err, &errno) {
		f = bare.Check(step, what, errno)
	}
	return f
}

// addDevice makes a node: PATH:TYPE:MAJOR:MINOR:MODE:UID:GID, the mode in octal digits.
func addDevice(text string) error {
	f := strings.Split(text, ":")
	const fields = 7
	if len(f) != fields {
		return errors.New("it is none")
	}
	var n [fields]uint64
	for i, base := range [fields]int{2: 10, 3: 10, 4: 8, 5: 10, 6: 10} {
		if base == 0 {
			continue
		}
		var err error
		if n[i], err = strconv.ParseUint(f[i], base, 32); err != nil {
			return errors.New("it is none")
		}
	}
	path, kind := f[0], uint32(unix.S_IFCHR)
	if f[1] == "b" {
		kind = unix.S_IFBLK
	}
	old := unix.Umask(0)
	defer unix.Umask(old)
	for i := len("/dev/"); i < len(path); i++ {
		if path[i] == '/' {
			if err := unix.Mkdir(path[:i], 0o755); err != nil && err != unix.EEXIST {
				return err
			}
		}
	}
	if err := unix.Mknod(path, kind|uint32(n[4]), int(unix.Mkdev(uint32(n[2]), uint32(n[3])))); err != nil {
		return err
	}
	if n[5] == 0 && n[6] == 0 {
		return nil
	}
	return unix.Lchown(path, int(n[5]), int(n[6]))
}

// cover mounts what tree makes of the file at a path, which the app need not have, on that
// file. It is found once: processes of other apps may be at work in volumes.
func cover(path string, tree func(target int) (int, error)) error {
	target, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || err == unix.ENOTDIR {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(target)
	mount, err := tree(target)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	return unix.MoveMount(mount, "", target, "", unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH)
}

const cloneTree = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC

// hide is nothing in place of the target: an empty directory, or a file that is.
func hide(target int) (int, error) {
	var st unix.Stat_t
	if err := unix.Fstat(target, &st); err != nil {
		return -1, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.OpenTree(unix.AT_FDCWD, "/dev/null", cloneTree)
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, bare.Str(emptyDir).Text(), cloneTree)
	if err != nil {
		return -1, err
	}
	return tree, unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// lock is the target and all that is mounted below it, read-only.
func lock(target int) (int, error) {
	tree, err := unix.OpenTree(target, "", cloneTree|unix.AT_EMPTY_PATH|unix.AT_RECURSIVE)
	if err != nil {
		return -1, err
	}
	return tree, unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
}

// setLabel has the kernel give what is executed next an AppArmor profile or an SELinux context:
// apparmor:PROFILE or selinux:CONTEXT.
func setLabel(text string) bare.Failure {
	module, label, _ := strings.Cut(text, ":")
	files, value := []string{"/proc/thread-self/attr/exec"}, label
	if module == "apparmor" {
		files, value = []string{"/proc/thread-self/attr/apparmor/exec", files[0]}, "exec "+label
	}
	var err error
	for _, f := range files {
		if err = writeFile(unix.AT_FDCWD, f, value); err != unix.ENOENT {
			break
		}
	}
	if err != nil {
		return failure("take the label", text, err)
	}
	return bare.Failure{}
}

// setSysctls sets the kernel parameters of the namespaces that this process is in: lines NAME=VALUE,
// the name as a path below /proc/sys. Those that are mounted are read-only.
func setSysctls(file string) error {
	const most = 1 << 20
	text, err := readFile(file, most)
	if err != nil {
		return err
	}
	ctx, err := unix.Fsopen("proc", unix.FSOPEN_CLOEXEC)
	if err == nil {
		err = unix.FsconfigCreate(ctx)
	}
	if err != nil {
		return err
	}
	defer unix.Close(ctx)
	proc, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(proc)
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		name, value, _ := strings.Cut(line, "=")
		if err := writeFile(proc, "sys/"+name, value); err != nil {
			return wrap(strings.ReplaceAll(name, "/", ".")+" to "+strconv.Quote(value), err)
		}
	}
	return nil
}

func writeFile(dir int, path, value string) error {
	fd, err := unix.Openat(dir, path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	return errors.Join(err, unix.Close(fd))
}
