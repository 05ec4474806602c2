package hostport

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/podport"
	"github.com/raket/raket/pkg/stageabi"
)

// Taken is a port that somebody else has.
type Taken struct {
	Port stageabi.Port // of one port
	// By says who has it, as `nginx (process 4711)`; "" where that is not known.
	By string
	// At is the address where it was found, "" where that is not known.
	At string
}

func (e *Taken) Error() string {
	where := e.Port.HostIP
	if where != "" {
		where += " "
	}
	text := fmt.Sprintf("port %s%d/%s of the host is taken", where, e.Port.HostPort, e.Port.Protocol)
	if e.By != "" {
		text += " by " + e.By
	}
	if e.At != "" {
		text += " at " + e.At
	}
	return text
}

// NoneFree is a port for which none of the host was found.
type NoneFree struct {
	Port stageabi.Port
	Err  error
}

func (e *NoneFree) Error() string {
	return fmt.Sprintf("find a free port of the host for port %s: %v", podport.Text(e.Port), e.Err)
}

func (e *NoneFree) Unwrap() error { return e.Err }

// Hold binds the ports, which stay so until this process and whatever it becomes have ended:
// the descriptors survive exec. It returns them with a number of the host for those that have
// none: a free one of the kernel's choice. The error is a *Taken where a port cannot be had, and
// a *NoneFree where none is found.
func Hold(ports []stageabi.Port) ([]stageabi.Port, error) {
	held := slices.Clone(ports)
	for _, p := range ports {
		one := p
		one.Count = 1
		for i := range p.Count {
			if p.HostPort == 0 {
				continue
			}
			one.HostPort = p.HostPort + i
			_, err := hold(one)
			switch {
			case errors.Is(err, unix.EADDRINUSE):
				return nil, find(one)
			case err != nil:
				return nil, fmt.Errorf("hold port %d/%s of the host: %w", one.HostPort, one.Protocol, err)
			}
		}
	}
	// Then the others: none is picked that another of the pod's wants.
	for i, p := range ports {
		if p.HostPort != 0 {
			continue
		}
		var err error
		if held[i].HostPort, err = hold(p); err != nil {
			return nil, &NoneFree{p, err}
		}
	}
	return held, nil
}

// hold binds one port, and returns its number.
func hold(p stageabi.Port) (uint16, error) {
	kind, protocol := unix.SOCK_STREAM, unix.IPPROTO_TCP
	switch p.Protocol {
	case "udp":
		kind, protocol = unix.SOCK_DGRAM, unix.IPPROTO_UDP
	case "sctp":
		protocol = unix.IPPROTO_SCTP
	}
	var ip netip.Addr
	if p.HostIP != "" {
		var err error
		if ip, err = netip.ParseAddr(p.HostIP); err != nil {
			return 0, err
		}
	}
	family := unix.AF_INET6
	if ip.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, kind, protocol)
	if errors.Is(err, unix.EAFNOSUPPORT) && !ip.IsValid() {
		family, ip = unix.AF_INET, netip.IPv4Unspecified()
		fd, err = unix.Socket(family, kind, protocol)
	}
	if protocol == unix.IPPROTO_SCTP && (errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ESOCKTNOSUPPORT)) && p.HostPort != 0 {
		return p.HostPort, nil // where the host has no such sockets nobody has the port either
	}
	if err != nil {
		return 0, err
	}
	if err := bind(fd, family, ip, p, kind); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return numberOf(fd)
}

func numberOf(fd int) (uint16, error) {
	at, err := unix.Getsockname(fd)
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return uint16(at.Port), nil
	case *unix.SockaddrInet6:
		return uint16(at.Port), nil
	}
	return 0, err
}

func bind(fd, family int, ip netip.Addr, p stageabi.Port, kind int) error {
	var to unix.Sockaddr
	// An address may come to the host later.
	level, freebind := unix.SOL_IP, unix.IP_FREEBIND
	if family == unix.AF_INET {
		to = &unix.SockaddrInet4{Port: int(p.HostPort), Addr: ip.As4()}
	} else {
		level, freebind = unix.SOL_IPV6, unix.IPV6_FREEBIND
		six := &unix.SockaddrInet6{Port: int(p.HostPort)}
		only := 0
		if ip.IsValid() {
			six.Addr, only = ip.As16(), 1
		}
		to = six
		if err := unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptInt(fd, level, freebind, 1); err != nil {
		return err
	}
	if kind == unix.SOCK_DGRAM {
		// What comes there in spite of the rules has no reader.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0); err != nil {
			return err
		}
		return unix.Bind(fd, to)
	}
	if p.HostPort == 0 {
		// Without the option below the kernel chooses one that nobody has in any way.
		return unix.Bind(fd, to)
	}
	// With the option a port is had though connections of a listener before linger on it;
	// listening for a moment finds those that are bound all the same, and without the option
	// nobody else can bind it from then on.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, to); err != nil {
		return err
	}
	if err := unix.Listen(fd, 0); err != nil {
		return err
	}
	if err := unix.Shutdown(fd, unix.SHUT_RD); err != nil {
		return err
	}
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0)
}
