package terminal

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pair is a new terminal.
type Pair struct {
	Master, Slave *os.File
	master        int // Master's: asking for it would make it block
}

// SetOwner makes a user the slave's owner.
func (p Pair) SetOwner(uid int) error { return p.Slave.Chown(uid, -1) }

// Open makes a terminal in the devpts that a root has mounted on /dev/pts; root is a
// descriptor. Neither end becomes this process's controlling terminal. What is there
// may be anything the root's owner wants: a terminal is all that is accepted.
func Open(root int) (Pair, error) {
	p, err := open(root)
	if err != nil {
		return p, fmt.Errorf("make a terminal: %w", err)
	}
	return p, nil
}

func open(root int) (p Pair, err error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS}
	path, err := unix.Openat2(root, "dev/pts/ptmx", &how)
	if err != nil {
		return p, fmt.Errorf("/dev/pts/ptmx: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(path)) }()
	// Opening a device may do things: first what it is.
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Fstat(path, &st), unix.Fstatfs(path, &fs)); err != nil {
		return p, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(5, 2) || fs.Type != unix.DEVPTS_SUPER_MAGIC {
		return p, errors.New("/dev/pts/ptmx is not a terminal multiplexer")
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(path), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return p, err
	}
	p.Master, p.master = os.NewFile(uintptr(fd), "ptmx"), fd
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return p, errors.Join(err, p.Master.Close())
	}
	// No name is looked up for it: the root's owner has no say in what this opens.
	slave, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if e != 0 {
		return p, errors.Join(e, p.Master.Close())
	}
	p.Slave = os.NewFile(slave, "pts")
	return p, nil
}

// Is reports whether a descriptor is a terminal.
func Is(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// CopySize gives one terminal the size of another.
func CopySize(from, to int) error {
	size, err := unix.IoctlGetWinsize(from, unix.TIOCGWINSZ)
	if err != nil {
		return err
	}
	return unix.IoctlSetWinsize(to, unix.TIOCSWINSZ, size)
}

// Raw puts a terminal into raw mode and returns what puts it back.
func Raw(fd int) (restore func() error, err error) {
	old, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, err
	}
	raw := *old
	// termios(3), "Raw mode".
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &raw); err != nil {
		return nil, err
	}
	return func() error { return unix.IoctlSetTermios(fd, unix.TCSETSF, old) }, nil
}
