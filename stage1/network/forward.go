package network

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// forwarded are the switches of the host for passing packets on between interfaces,
// which plugins turn on.
type forwarded map[string]string

var switches = [...]string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"}

func forwarding() forwarded {
	f := forwarded{}
	for _, name := range switches {
		if b, err := os.ReadFile("/proc/sys/" + name); err == nil {
			f[name] = strings.TrimSpace(string(b))
		}
	}
	return f
}

// changes says what is on that was not.
func (f forwarded) changes() []string {
	var lines []string
	now := forwarding()
	for _, name := range switches {
		if f[name] == "0" && now[name] != "0" {
			lines = append(lines, "turned on "+strings.ReplaceAll(name, "/", ".")+" of the host: the pod's network needs it")
		}
	}
	return lines
}

func inherit(fd int) error {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	return err
}
