package podsocket

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

// describe asks the kernel what a descriptor is.
func describe(fd int) (Descriptor, error) {
	d := Descriptor{FD: fd}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	switch {
	case errors.Is(err, unix.ENOTSOCK):
		return d, errors.New("it is no socket: a pod takes sockets alone")
	case err != nil:
		return d, err
	}
	switch kind {
	case unix.SOCK_STREAM:
		d.Kind = stageabi.SocketStream
	case unix.SOCK_DGRAM:
		d.Kind = stageabi.SocketDatagram
	case unix.SOCK_SEQPACKET:
		d.Kind = stageabi.SocketSeqpacket
	default:
		return d, fmt.Errorf("a socket of type %d: a pod takes stream, datagram and sequential packet sockets", kind)
	}
	if d.Kind != stageabi.SocketDatagram {
		if err := checkListens(fd); err != nil {
			return d, err
		}
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return d, err
	}
	return d, d.setAddress(addr)
}

func checkListens(fd int) error {
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens != 0 {
		return err
	}
	if _, err := unix.Getpeername(fd); err == nil {
		return errors.New("it is a connection, as of a .socket unit with Accept=yes: a pod takes listening sockets, of Accept=no")
	}
	return errors.New("the socket does not listen")
}

func (d *Descriptor) setAddress(addr unix.Sockaddr) error {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		d.setInternet(netip.AddrFrom4(a.Addr), a.Port)
	case *unix.SockaddrInet6:
		d.setInternet(netip.AddrFrom16(a.Addr), a.Port)
	case *unix.SockaddrUnix:
		d.Address = a.Name
		return checkUnix(a.Name)
	case *unix.SockaddrVM:
		cid := strconv.FormatUint(uint64(a.CID), 10)
		if a.CID == unix.VMADDR_CID_ANY {
			cid = ""
		}
		d.Address = "vsock:" + cid + ":" + strconv.FormatUint(uint64(a.Port), 10)
	default:
		return errors.New("a socket of a family that a pod does not take: it takes IP, Unix and vsock")
	}
	return nil
}

func (d *Descriptor) setInternet(ip netip.Addr, port int) {
	host := ip.String()
	if ip.Is6() {
		host = "[" + host + "]"
	}
	d.Port, d.Address = port, host+":"+strconv.Itoa(port)
	d.Protocol = "tcp"
	if d.Kind == stageabi.SocketDatagram {
		d.Protocol = "udp"
	}
}

// checkUnix refuses names of Unix sockets that a unit file has no form for.
func checkUnix(name string) error {
	switch {
	case name == "" || name == "@":
		return errors.New("a Unix socket without a name")
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return fmt.Errorf("the name %q of a Unix socket has a character that no unit file holds", name)
	case name[0] == '@':
	case name[0] != '/' || path.Clean(name) != name:
		return fmt.Errorf("the path %q of a Unix socket is not absolute and clean", name)
	}
	return nil
}
