package idmap

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Map is a Range that can be put on mounts. A nil Map leaves everything as it is. It is
// not safe for concurrent use.
type Map struct {
	Range
	ns     *os.File
	mapped map[string]bool
}

// Open makes a map; for a zero Range it is nil. The error says what to do where this
// host has no user namespaces.
func Open(r Range) (*Map, error) {
	if r.IsZero() {
		return nil, nil
	}
	ns, err := namespace(r)
	if err != nil {
		return nil, fmt.Errorf("make a user namespace: %w", explain(err))
	}
	return &Map{Range: r, ns: ns, mapped: map[string]bool{}}, nil
}

// Close closes the map. What it was put on keeps it.
func (m *Map) Close() error {
	if m == nil {
		return nil
	}
	return m.ns.Close()
}

// namespace makes a user namespace in which nothing is: a program is started in one
// and ended before its first instruction.
func namespace(r Range) (ns *os.File, err error) {
	// Who traces is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(r.Base), Size: int(r.Count)}}
	cmd := exec.Command("/proc/self/exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids, Ptrace: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ns, err = os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/user")
	if kerr := cmd.Process.Kill(); kerr != nil {
		return nil, errors.Join(err, kerr)
	}
	_ = cmd.Wait() // "killed", as it was to be
	return ns, err
}

// limitFile has how many user namespaces there may be.
const limitFile = "/proc/sys/user/max_user_namespaces"

// explain says why there are no user namespaces, if that is known.
func explain(err error) error {
	if _, serr := os.Stat("/proc/self/ns/user"); errors.Is(serr, os.ErrNotExist) {
		return errors.New("this kernel has none (CONFIG_USER_NS); --private-users=no runs the pod without")
	}
	text, rerr := os.ReadFile(limitFile)
	if errors.Is(err, unix.ENOSPC) || rerr == nil && strings.TrimSpace(string(text)) == "0" {
		return fmt.Errorf("this host allows %s of them (sysctl user.max_user_namespaces); raise that, or run the pod with --private-users=no", strings.TrimSpace(string(text)))
	}
	return err
}

// Attr puts the map on a mount that is attached nowhere yet (mount_setattr(2)).
func (m *Map) Attr(a *unix.MountAttr) {
	if m != nil {
		a.Attr_set |= unix.MOUNT_ATTR_IDMAP
		a.Userns_fd = uint64(m.ns.Fd())
	}
}

// Over mounts dir on itself with the map on it, once. It is for mount namespaces that
// end with the pod: there every process then sees dir so.
func (m *Map) Over(dir string) error {
	if m == nil || m.mapped[dir] {
		return nil
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(tree)
	var attr unix.MountAttr
	m.Attr(&attr)
	if err := unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		return Explain(dir, err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return err
	}
	m.mapped[dir] = true
	return nil
}

// Shows reports whether what is at path, absolute and clean, is seen under the map by what
// Over has mounted.
func (m *Map) Shows(path string) bool {
	if m == nil {
		return false
	}
	for ; path != "/" && path != "."; path = filepath.Dir(path) {
		if m.mapped[path] {
			return true
		}
	}
	return false
}

// Explain says what it means that the map cannot be put on what is mounted at path.
func Explain(path string, err error) error {
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	var st unix.Statfs_t
	if serr := unix.Statfs(path, &st); serr != nil {
		return errors.Join(err, serr)
	}
	return fmt.Errorf("the file system of %s (type %#x) takes no ID maps on this kernel; ext4, xfs, btrfs do, and tmpfs from Linux 6.3", path, st.Type)
}

// As calls f while the calling thread, which must be locked to its goroutine, makes
// files that are the pod's root's. Its capabilities it keeps.
func (m *Map) As(f func() error) (err error) {
	if m == nil {
		return f()
	}
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|secbitNoSetuidFixup), 0, 0, 0); err != nil {
		return fmt.Errorf("keep capabilities: %w", err)
	}
	// The answer to a number that is none is the number in use.
	uid, _ := unix.SetfsuidRetUid(int(m.Base))
	gid, _ := unix.SetfsgidRetGid(int(m.Base))
	defer func() {
		_, uerr := unix.SetfsuidRetUid(uid)
		_, gerr := unix.SetfsgidRetGid(gid)
		err = errors.Join(err, uerr, gerr, unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits), 0, 0, 0))
	}()
	return f()
}

const secbitNoSetuidFixup = 1 << 2 // linux/securebits.h
