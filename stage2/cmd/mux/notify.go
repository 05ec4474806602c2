package main

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// notifier speaks to systemd (sd_notify(3)); where there is none it says nothing.
type notifier struct {
	fd   int
	addr *unix.SockaddrUnix
	// held are descriptors to store once it is open.
	held []storedFD
}

type storedFD struct {
	name string
	fd   int
}

func (n *notifier) open() {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	n.fd, n.addr = fd, &unix.SockaddrUnix{Name: path}
	for _, h := range n.held {
		n.store(h.name, h.fd)
	}
	n.held = nil
}

func (n *notifier) send(text string, fds ...int) {
	if n.addr == nil {
		return
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_ = unix.Sendmsg(n.fd, []byte(text), oob, n.addr, unix.MSG_NOSIGNAL)
}

// store leaves a descriptor with systemd, for the next process of the unit.
func (n *notifier) store(name string, fd int) {
	if n.addr == nil {
		n.held = append(n.held, storedFD{name, fd})
		return
	}
	n.send("FDSTORE=1\nFDNAME="+name, fd)
}

// remove takes back all descriptors of a name.
func (n *notifier) remove(name string) { n.send("FDSTOREREMOVE=1\nFDNAME=" + name) }

// splitNames are the names of n descriptors.
func splitNames(text string, n int) []string {
	names := strings.Split(text, ":")
	for len(names) < n {
		names = append(names, "")
	}
	return names[:n]
}
