package podsocket

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

// First is the first descriptor that sd_listen_fds(3) speaks of.
const First = 3

// maxDescriptors bounds what LISTEN_FDS may say.
const maxDescriptors = 4096

// unnamed is what sd_listen_fds_with_names(3) calls a descriptor without a name.
const unnamed = "unknown"

// Descriptor is a socket that this process was given.
type Descriptor struct {
	FD   int
	Name string // FileDescriptorName= of the host's unit; "unknown" without
	Kind stageabi.SocketKind
	// Address is as systemd.socket(5) has it: "[::]:80", "/run/x", "@x",
	// "vsock:2:80".
	Address string
	// Port and Protocol ("tcp", "udp") are of the internet's addresses.
	Port     int
	Protocol string
}

func (d Descriptor) String() string {
	return fmt.Sprintf("%q (%s %s)", d.Name, d.Kind, d.Address)
}

// Count is how many descriptors env (as os.Environ's) says that process pid was
// given. They are another's, and there are none, where LISTEN_PID is not pid.
func Count(env []string, pid int) (int, error) {
	if lookup(env, "LISTEN_PID") != strconv.Itoa(pid) {
		return 0, nil
	}
	n, err := strconv.Atoi(lookup(env, "LISTEN_FDS"))
	if err != nil || n < 0 || n > maxDescriptors {
		return 0, fmt.Errorf("LISTEN_FDS=%q is not a number of descriptors", lookup(env, "LISTEN_FDS"))
	}
	return n, nil
}

// Inherited returns the descriptors that this process was given, in order.
func Inherited() ([]Descriptor, error) {
	env := os.Environ()
	n, err := Count(env, os.Getpid())
	if n == 0 || err != nil {
		return nil, err
	}
	names := names(lookup(env, "LISTEN_FDNAMES"), n)
	list := make([]Descriptor, n)
	for i := range list {
		if list[i], err = describe(First + i); err != nil {
			return nil, fmt.Errorf("descriptor %d (%q), which the host gave: %w", First+i, names[i], err)
		}
		list[i].Name = names[i]
	}
	return list, nil
}

// names splits LISTEN_FDNAMES; names that no unit could have given count as none.
func names(list string, n int) []string {
	split := strings.Split(list, ":")
	names := make([]string, n)
	for i := range names {
		names[i] = unnamed
		if len(split) == n && validName(split[i]) {
			names[i] = split[i]
		}
	}
	return names
}

// validName holds a name to what FileDescriptorName= takes (systemd.socket(5)).
func validName(name string) bool {
	const longest = 255
	if name == "" || len(name) > longest || strings.TrimSpace(name) != name {
		return false
	}
	for _, c := range []byte(name) {
		if c < ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return true
}

// SetInheritable says whether programs that this process executes inherit the
// descriptors that it was given: children should not, what it becomes has to.
func SetInheritable(inheritable bool) error {
	n, err := Count(os.Environ(), os.Getpid())
	flags := unix.FD_CLOEXEC
	if inheritable {
		flags = 0
	}
	for fd := First; fd < First+n && err == nil; fd++ {
		if _, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, flags); err != nil {
			err = fmt.Errorf("descriptor %d of LISTEN_FDS: %w", fd, err)
		}
	}
	return err
}

func lookup(env []string, name string) string {
	for _, e := range env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}
