package podsocket

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// Wish is what one --socket asks for:
//
//	NAME            the host's sockets of this FileDescriptorName=
//	PORT[/tcp|/udp] the host's sockets on this port (or of this name)
//	/PATH, @NAME    the host's Unix socket there
//	listen:tcp:[ADDRESS:]PORT, listen:udp:…, listen:unix:@NAME
//	                a socket that the pod's init opens; the app starts when
//	                something arrives
//	activated:tcp:PORT, activated:udp:PORT
//	                the host's socket on this port if there is one, else one that
//	                the pod's init opens: what an appc image's socketActivated
//	                port means
//
// and behind each, separated by commas:
//
//	proxy=HOST:PORT the app knows nothing of descriptors: connections are passed on
//	                to where it listens
//	name=NAME       the name of a socket that the pod's init opens
type Wish struct {
	text string
	// Of the host's: a name, a port, an address.
	name     string
	port     int
	protocol string // "tcp", "udp", "" for both
	address  string
	// Of the pod's own.
	own  *stageabi.Socket
	soft bool // the host's if there is one
	// proxy is where connections are passed on to.
	proxy string
}

// String is the wish as it was written.
func (w Wish) String() string { return w.text }

// Activated is the wish for an appc image's socketActivated port.
func Activated(protocol string, port int, name string) string {
	return "activated:" + protocol + ":" + strconv.Itoa(port) + ",name=" + name
}

// ParseWish reads the value of a --socket.
func ParseWish(text string) (Wish, error) {
	which, options, _ := strings.Cut(text, ",")
	w := Wish{text: text}
	var err error
	if listen, ok := strings.CutPrefix(which, "listen:"); ok {
		w.own, err = parseOwn(listen)
	} else if port, ok := strings.CutPrefix(which, "activated:"); ok {
		w.soft = true
		if w.own, err = parseOwn(port); err == nil {
			w.protocol, port, _ = strings.Cut(port, ":")
			w.port, err = parsePort(port)
		}
	} else {
		err = w.parseHosts(which)
	}
	if err != nil {
		return Wish{}, err
	}
	return w, w.parseOptions(options)
}

func (w *Wish) parseHosts(which string) error {
	if which != "" && (which[0] == '/' || which[0] == '@') {
		w.address = which
		return checkUnix(which)
	}
	port, protocol, qualified := strings.Cut(which, "/")
	if n, err := parsePort(port); err == nil {
		if qualified && protocol != "tcp" && protocol != "udp" {
			return errors.New("a port's protocol is tcp or udp")
		}
		w.port, w.protocol = n, protocol
		if qualified {
			return nil
		}
	}
	if !validName(which) || strings.Contains(which, "/") {
		return errors.New("want the name of a socket (FileDescriptorName=), a port, a path, @NAME, or listen:…")
	}
	w.name = which
	return nil
}

// parseOwn reads PROTOCOL:ADDRESS of a socket that the pod's init opens.
func parseOwn(text string) (*stageabi.Socket, error) {
	protocol, address, _ := strings.Cut(text, ":")
	s := &stageabi.Socket{Kind: stageabi.SocketStream}
	switch protocol {
	case "unix":
		if !strings.HasPrefix(address, "@") {
			return nil, errors.New("a Unix socket that the pod opens needs a name as @NAME: apps have no directory in common")
		}
		s.Name, s.Address = strings.TrimPrefix(address, "@"), address
		return s, checkUnix(address)
	case "udp":
		s.Kind = stageabi.SocketDatagram
	case "tcp":
	default:
		return nil, errors.New("want tcp, udp or unix, a colon and an address")
	}
	if port, err := parsePort(address); err == nil {
		s.Name, s.Address = address, "[::]:"+strconv.Itoa(port)
		return s, nil
	}
	ap, err := netip.ParseAddrPort(address)
	if err != nil || ap.Port() == 0 || ap.Addr().Zone() != "" {
		return nil, errors.New("want a port, or ADDRESS:PORT with an IP address")
	}
	s.Name, s.Address = strconv.Itoa(int(ap.Port())), ap.String()
	return s, nil
}

func (w *Wish) parseOptions(options string) error {
	for option := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(option, "=")
		switch {
		case option == "":
		case name == "proxy":
			if err := checkProxy(value); err != nil {
				return err
			}
			w.proxy = value
		case name == "name" && w.own != nil:
			if !validName(value) {
				return errors.New("a socket's name has up to 255 characters, none of them a colon, a comma or beyond ASCII")
			}
			w.own.Name = value
		default:
			return fmt.Errorf("unknown option %q", option)
		}
	}
	if w.proxy != "" && w.own != nil && w.own.Kind != stageabi.SocketStream {
		return errors.New("proxy= passes on connections, and datagrams are none")
	}
	return nil
}

// checkProxy holds where a proxy connects to, to what systemd-socket-proxyd(8)
// takes and a unit file holds.
func checkProxy(to string) error {
	if strings.HasPrefix(to, "@") {
		return checkUnix(to)
	}
	ap, err := netip.ParseAddrPort(to)
	if err != nil || ap.Port() == 0 {
		return errors.New("proxy= wants ADDRESS:PORT with an IP address, or @NAME")
	}
	return nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, errors.New("a port is a number from 1 to 65535")
	}
	return int(n), nil
}

// wants reports whether it asks for a socket of the host's.
func (w Wish) wants(d Descriptor) bool {
	switch {
	case w.address != "" && w.address == d.Address, w.name != "" && w.name == d.Name:
		return true
	case w.port == 0 || w.port != d.Port:
		return false
	}
	return w.protocol == "" || w.protocol == d.Protocol
}
