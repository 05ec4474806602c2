package layer

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// root is a directory whose descendants are opened by clean relative names
// that never lead outside. It keeps the descriptors of directories used
// lately: consecutive entries mostly share one.
type root struct {
	fd       int
	uid, gid int
	umask    uint32
	// linked says that symbolic links may be on the way, with which a short
	// name can lead deep.
	linked  bool
	prefix  int // length of the root's own path
	cache   map[string]int
	order   []string // of the cache, oldest first
	retired []int    // forgotten, but perhaps in use until the next entry
}

const cacheDirs = 64

func openRoot(dir string) (*root, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	umask, err := currentUmask()
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	r := &root{fd: fd, uid: os.Geteuid(), gid: os.Getegid(), umask: umask, cache: map[string]int{}}
	if r.prefix, err = pathBytes(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return r, nil
}

// pathBytes is the length of the path of an open directory.
func pathBytes(fd int) (int, error) {
	buf := make([]byte, unix.PathMax+1)
	n, err := unix.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd), buf)
	if err == nil && n == len(buf) {
		err = unix.ENAMETOOLONG
	}
	return n, err
}

// currentUmask reads the umask without setting it, which would race with
// other goroutines.
func currentUmask() (uint32, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read umask: %w", err)
	}
	_, rest, ok := strings.Cut(string(status), "\nUmask:")
	var umask uint32
	if _, err := fmt.Sscanf(rest, "%o", &umask); !ok || err != nil {
		return 0, errors.New("read umask: none in /proc/self/status")
	}
	return umask, nil
}

func (r *root) close() {
	r.flush()
	unix.Close(r.fd)
}

// flush closes all descriptors: a cached name may lead elsewhere now.
func (r *root) flush() {
	r.retire()
	r.closeRetired()
}

// retire forgets all descriptors, and leaves them open until closeRetired:
// whoever replaces an entry goes on using that of its directory, and a number
// that is closed may be another tree's at once.
func (r *root) retire() {
	for _, fd := range r.cache {
		r.retired = append(r.retired, fd)
	}
	clear(r.cache)
	r.order = r.order[:0]
}

func (r *root) closeRetired() {
	for _, fd := range r.retired {
		unix.Close(fd)
	}
	r.retired = r.retired[:0]
}

// dir returns a descriptor of the directory, of use with the *at system calls
// until the next call.
func (r *root) dir(name string) (int, error) {
	if name == "" {
		return r.fd, nil
	}
	if fd, ok := r.cache[name]; ok {
		return fd, nil
	}
	fd, err := r.openDir(name)
	if err != nil {
		return -1, err
	}
	if len(r.order) == cacheDirs {
		unix.Close(r.cache[r.order[0]])
		delete(r.cache, r.order[0])
		r.order = append(r.order[:0], r.order[1:]...)
	}
	r.cache[name] = fd
	r.order = append(r.order, name)
	return fd, nil
}

// openDir opens a directory below the root; symbolic links on the way are
// resolved as if the root were "/". The caller closes the descriptor.
func (r *root) openDir(name string) (int, error) {
	if name == "" {
		name = "."
	}
	how := &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
	}
	// The kernel asks to try again when anything anywhere was renamed while
	// it resolved "..".
	for range 1000 {
		fd, err := unix.Openat2(r.fd, name, how)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOSYS):
			return -1, fmt.Errorf("this kernel has no openat2: 5.6 or later is needed: %w", err)
		}
		if err == nil && r.linked {
			err = r.checkDepth(fd)
		}
		return fd, err
	}
	return -1, fmt.Errorf("open %q: %w", name, unix.EAGAIN)
}

// checkDepth refuses, and closes, a directory that is so deep that nothing
// could name it by its path.
func (r *root) checkDepth(fd int) error {
	n, err := pathBytes(fd)
	if err == nil && n-r.prefix > maxPath {
		err = unix.ENAMETOOLONG
	}
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	return nil
}

// finishFile sets owner, mode, attributes and time, leaving out what the file
// has already.
func (r *root) finishFile(fd int, mode uint32, uid, gid int, mtime unix.Timespec, attrs map[string]string) error {
	if uid != r.uid || gid != r.gid {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return err
		}
	}
	// After the owner: a change of owner clears the set-ID bits and the
	// capabilities.
	if mode&^0o777 != 0 || mode&r.umask != 0 {
		if err := unix.Fchmod(fd, mode); err != nil {
			return err
		}
	}
	if err := setXattrs(fd, attrs); err != nil {
		return err
	}
	return futimens(fd, mtime)
}

// finishDir sets what finishFile sets on a directory made with its plain mode
// bits. One that a later entry removed or replaced needs nothing.
func (r *root) finishDir(name string, meta dirMeta) error {
	dir, base := split(name)
	parent, err := r.dir(dir)
	if err != nil {
		return ignoreGone(err)
	}
	if base == "" {
		base = "."
	}
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return ignoreGone(err)
	}
	if uid, gid := meta.uid, meta.gid; uid != r.uid || gid != r.gid {
		err = unix.Fchown(fd, uid, gid)
	}
	// A directory described twice was made with the first mode.
	if err == nil {
		err = unix.Fchmod(fd, meta.mode)
	}
	if err == nil && meta.again {
		err = clearXattrs(fd)
	}
	if err == nil {
		err = setXattrs(fd, meta.xattrs)
	}
	if err == nil {
		err = futimens(fd, meta.mtime)
	}
	return errors.Join(err, unix.Close(fd))
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
		return nil
	}
	return err
}

func (r *root) setRootOpaque() error { return unix.Fsetxattr(r.fd, opaqueXattr, []byte("y"), 0) }

const opaqueXattr = "trusted.overlay.opaque"

// setOpaque marks a directory so that overlayfs shows nothing of the same
// directory in lower layers.
func setOpaque(parent int, base string) error {
	fd, err := unix.Openat(parent, base, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsetxattr(fd, opaqueXattr, []byte("y"), 0), unix.Close(fd))
}

// futimens sets both times of an open file, which package unix has by path only.
func futimens(fd int, mtime unix.Timespec) error {
	ts := [2]unix.Timespec{mtime, mtime}
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
