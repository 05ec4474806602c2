package netconf

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// dhcp is the plugin that asks a daemon for addresses, and dhcpSocket where that listens
// unless the configuration says otherwise.
const (
	dhcp       = "dhcp"
	dhcpSocket = "/run/cni/dhcp.sock"
)

// checkDaemon says that nobody is there to hand out addresses.
func (p Plugin) checkDaemon(network string, dirs []string) error {
	if p.IPAM != dhcp {
		return nil
	}
	path := p.Daemon
	start := FindPlugin(dhcp, dirs) + " daemon"
	hint := "systemctl enable --now raket-dhcp.socket; without systemd: " + start
	if path == "" {
		path = dhcpSocket
	} else {
		hint = "start the daemon: " + start + " -socketpath " + path
	}
	err := listening(path)
	if err == nil {
		return nil
	}
	return &unusable{fmt.Sprintf("network %s: nobody listens at %s, where its plugin dhcp asks for addresses: %v", network, path, err), hint}
}

// listening fails where no stream socket is at path. It does not call who is there: that
// would start a daemon which systemd starts when it is called.
func listening(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	_ = unix.Close(fd)
	// Of another type, but there (connect(2)).
	if errors.Is(err, unix.EPROTOTYPE) {
		return nil
	}
	if err == nil {
		return errors.New("it takes datagrams")
	}
	return err
}
