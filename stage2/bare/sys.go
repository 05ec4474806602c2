package bare

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// All of these are the kernel's calls, with its own meaning and its own error, 0
// being none. They are raw ones: under the runtime they block a thread without
// the scheduler's knowledge, and what they change is the calling thread's.

func ptr(b *byte) uintptr { return uintptr(unsafe.Pointer(b)) }

func call(trap, a, b, c uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall(trap, a, b, c)
	return r, errno
}

func call6(trap, a, b, c, d, e, f uintptr) (uintptr, syscall.Errno) {
	r, _, errno := syscall.RawSyscall6(trap, a, b, c, d, e, f)
	return r, errno
}

// here is AT_FDCWD as the kernel takes it.
const here = ^uintptr(-unix.AT_FDCWD - 1)

// Mount is mount(2).
func Mount(source, target, fstype Str, flags uintptr, data Str) syscall.Errno {
	_, errno := call6(unix.SYS_MOUNT, ptr(source.Ptr()), ptr(target.Ptr()), ptr(fstype.Ptr()), flags, ptr(data.Ptr()), 0)
	return errno
}

// Unmount is umount2(2).
func Unmount(target Str, flags uintptr) syscall.Errno {
	_, errno := call(unix.SYS_UMOUNT2, ptr(target.Ptr()), flags, 0)
	return errno
}

// PivotRoot is pivot_root(2).
func PivotRoot(root, old Str) syscall.Errno {
	_, errno := call(unix.SYS_PIVOT_ROOT, ptr(root.Ptr()), ptr(old.Ptr()), 0)
	return errno
}

// Unshare is unshare(2).
func Unshare(flags uintptr) syscall.Errno {
	_, errno := call(unix.SYS_UNSHARE, flags, 0, 0)
	return errno
}

// Chdir is chdir(2).
func Chdir(dir Str) syscall.Errno {
	_, errno := call(unix.SYS_CHDIR, ptr(dir.Ptr()), 0, 0)
	return errno
}

// Chroot is chroot(2), and chdir(2) to that root.
func Chroot(dir Str) syscall.Errno {
	if _, errno := call(unix.SYS_CHROOT, ptr(dir.Ptr()), 0, 0); errno != 0 {
		return errno
	}
	return Chdir("/\x00")
}

// ConnectUnix is a stream connection to the Unix socket at a path.
func ConnectUnix(path Str) (fd int, errno syscall.Errno) {
	addr := unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	if len(path) > len(addr.Path) {
		return -1, unix.ENAMETOOLONG
	}
	for i := range len(path) {
		addr.Path[i] = int8(path[i])
	}
	r, errno := call(unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if errno != 0 {
		return -1, errno
	}
	_, errno = call(unix.SYS_CONNECT, r, uintptr(unsafe.Pointer(&addr)), unsafe.Offsetof(addr.Path)+uintptr(len(path)))
	return int(r), errno
}

// Mkdir is mkdir(2).
func Mkdir(path Str, mode uintptr) syscall.Errno {
	_, errno := call(unix.SYS_MKDIRAT, here, ptr(path.Ptr()), mode)
	return errno
}

// Mknod is mknod(2).
func Mknod(path Str, mode, device uintptr) syscall.Errno {
	_, errno := call6(unix.SYS_MKNODAT, here, ptr(path.Ptr()), mode, device, 0, 0)
	return errno
}

// Symlink is symlink(2).
func Symlink(target, path Str) syscall.Errno {
	_, errno := call(unix.SYS_SYMLINKAT, ptr(target.Ptr()), here, ptr(path.Ptr()))
	return errno
}

// Lstat returns the kind and the permissions of a file, as stat(2) has st_mode.
func Lstat(path Str) (mode uint32, errno syscall.Errno) {
	var st unix.Statx_t
	_, errno = call6(unix.SYS_STATX, here, ptr(path.Ptr()), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE|unix.STATX_MODE, uintptr(unsafe.Pointer(&st)), 0)
	return uint32(st.Mode), errno
}

// SameFile reports whether two descriptors are of one file, a socket for instance.
func SameFile(a, b int) bool {
	var one, other unix.Statx_t
	return identity(a, &one) == 0 && identity(b, &other) == 0 &&
		one.Ino == other.Ino && one.Dev_major == other.Dev_major && one.Dev_minor == other.Dev_minor
}

func identity(fd int, st *unix.Statx_t) syscall.Errno {
	empty := Str("\x00")
	_, errno := call6(unix.SYS_STATX, uintptr(fd), ptr(empty.Ptr()), unix.AT_EMPTY_PATH, unix.STATX_INO, uintptr(unsafe.Pointer(st)), 0)
	return errno
}

// Umask is umask(2).
func Umask(mask uintptr) uintptr {
	old, _ := call(unix.SYS_UMASK, mask, 0, 0)
	return old
}

// Open is open(2), with O_CLOEXEC.
func Open(path Str, flags, mode uintptr) (fd int, errno syscall.Errno) {
	r, errno := call6(unix.SYS_OPENAT, here, ptr(path.Ptr()), flags|unix.O_CLOEXEC, mode, 0, 0)
	return int(r), errno
}

// OpenAt is openat(2), with O_CLOEXEC.
func OpenAt(dir int, path Str, flags, mode uintptr) (fd int, errno syscall.Errno) {
	r, errno := call6(unix.SYS_OPENAT, uintptr(dir), ptr(path.Ptr()), flags|unix.O_CLOEXEC, mode, 0, 0)
	return int(r), errno
}

// MkdirAt is mkdirat(2).
func MkdirAt(dir int, path Str, mode uintptr) syscall.Errno {
	_, errno := call(unix.SYS_MKDIRAT, uintptr(dir), ptr(path.Ptr()), mode)
	return errno
}

// RenameAt is renameat2(2) within a directory.
func RenameAt(dir int, from, to Str) syscall.Errno {
	_, errno := call6(unix.SYS_RENAMEAT2, uintptr(dir), ptr(from.Ptr()), uintptr(dir), ptr(to.Ptr()), 0, 0)
	return errno
}

// Modified is when a file was modified, in seconds and nanoseconds since 1970. It follows
// no symbolic link.
func Modified(dir int, path Str) (sec, nsec uint64, errno syscall.Errno) {
	var st unix.Statx_t
	_, errno = call6(unix.SYS_STATX, uintptr(dir), ptr(path.Ptr()), unix.AT_SYMLINK_NOFOLLOW, unix.STATX_MTIME, uintptr(unsafe.Pointer(&st)), 0)
	return uint64(st.Mtime.Sec), uint64(st.Mtime.Nsec), errno
}

// Now is the time, in seconds and nanoseconds since 1970.
func Now() (sec, nsec uint64, errno syscall.Errno) {
	var t unix.Timespec
	_, errno = call(unix.SYS_CLOCK_GETTIME, unix.CLOCK_REALTIME, uintptr(unsafe.Pointer(&t)), 0)
	return uint64(t.Sec), uint64(t.Nsec), errno
}

// Close is close(2).
func Close(fd int) syscall.Errno {
	_, errno := call(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return errno
}

// Read is read(2).
func Read(fd int, b []byte) (int, syscall.Errno) {
	n, errno := call(unix.SYS_READ, uintptr(fd), ptr(unsafe.SliceData(b)), uintptr(len(b)))
	return int(n), errno
}

func write(fd int, b []byte) (int, syscall.Errno) {
	n, errno := call(unix.SYS_WRITE, uintptr(fd), ptr(unsafe.SliceData(b)), uintptr(len(b)))
	return int(n), errno
}

// OpenTree is open_tree(2) with OPEN_TREE_CLONE: a detached copy of a mount.
func OpenTree(path Str) (fd int, errno syscall.Errno) {
	r, errno := call(unix.SYS_OPEN_TREE, here, ptr(path.Ptr()), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	return int(r), errno
}

// OpenTrees is OpenTree with what is mounted below.
func OpenTrees(path Str) (fd int, errno syscall.Errno) {
	r, errno := call(unix.SYS_OPEN_TREE, here, ptr(path.Ptr()), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	return int(r), errno
}

// mountAttr is struct mount_attr (mount_setattr(2)).
type mountAttr struct{ set, clear, propagation, userns uint64 }

// ReadOnly makes a mount read-only that is at a place.
func ReadOnly(path Str) syscall.Errno {
	attr := mountAttr{set: unix.MOUNT_ATTR_RDONLY}
	_, errno := call6(unix.SYS_MOUNT_SETATTR, here, ptr(path.Ptr()), 0, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	return errno
}

// ReadOnlyTrees makes detached mounts read-only.
func ReadOnlyTrees(tree int) syscall.Errno {
	none := Str("\x00")
	attr := mountAttr{set: unix.MOUNT_ATTR_RDONLY}
	_, errno := call6(unix.SYS_MOUNT_SETATTR, uintptr(tree), ptr(none.Ptr()), unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	return errno
}

// CloneTree is OpenTree of the mount that an open file is in, from that file on.
func CloneTree(file int) (fd int, errno syscall.Errno) {
	none := Str("\x00")
	r, errno := call(unix.SYS_OPEN_TREE, uintptr(file), ptr(none.Ptr()), unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_EMPTY_PATH)
	return int(r), errno
}

// MoveMount is move_mount(2) of a detached mount.
func MoveMount(tree int, target Str) syscall.Errno {
	none := Str("\x00")
	_, errno := call6(unix.SYS_MOVE_MOUNT, uintptr(tree), ptr(none.Ptr()), here, ptr(target.Ptr()), unix.MOVE_MOUNT_F_EMPTY_PATH, 0)
	return errno
}

// Prctl is prctl(2).
func Prctl(option, a, b uintptr) (int, syscall.Errno) {
	r, errno := call6(unix.SYS_PRCTL, option, a, b, 0, 0, 0)
	return int(r), errno
}

// BlockSignal adds one to the signals that the thread keeps back.
func BlockSignal(signal uint) syscall.Errno {
	set := uint64(1) << (signal - 1)
	_, errno := call6(unix.SYS_RT_SIGPROCMASK, unix.SIG_BLOCK, uintptr(unsafe.Pointer(&set)), 0, unsafe.Sizeof(set), 0, 0)
	return errno
}

// IDs are the thread's real user and group.
func IDs() (uid, gid uintptr) {
	uid, _ = call(unix.SYS_GETUID, 0, 0, 0)
	gid, _ = call(unix.SYS_GETGID, 0, 0, 0)
	return uid, gid
}

// SetUser sets the thread's three user IDs.
func SetUser(uid uintptr) syscall.Errno {
	_, errno := call(unix.SYS_SETRESUID, uid, uid, uid)
	return errno
}

// SetGroup sets the thread's three group IDs.
func SetGroup(gid uintptr) syscall.Errno {
	_, errno := call(unix.SYS_SETRESGID, gid, gid, gid)
	return errno
}

// Execve is execve(2).
func Execve(path Str, argv, envp **byte) syscall.Errno {
	_, errno := call(unix.SYS_EXECVE, ptr(path.Ptr()), uintptr(unsafe.Pointer(argv)), uintptr(unsafe.Pointer(envp)))
	return errno
}

// Exit ends the process.
func Exit(status int) {
	for {
		_, _ = call(unix.SYS_EXIT_GROUP, uintptr(status), 0, 0)
	}
}
