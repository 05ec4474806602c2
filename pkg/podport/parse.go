package podport

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/raket/raket/pkg/stageabi"
)

// Flag is one --port. With a Name, PodPort, Count and Protocol are still to be found in what
// the apps' images say. HostPort 0 is one that is picked when the pod starts.
type Flag struct {
	Name     string
	Protocol string
	HostIP   netip.Addr // the zero one: all addresses
	HostPort uint16
	PodPort  uint16
	Count    uint16
}

// Parse reads the value of a --port. The error says what is wrong, and not the value.
func Parse(text string) (Flag, error) {
	head, protocol, qualified := strings.Cut(text, "/")
	word, rest, found := cutFirst(head)
	var f Flag
	if !found {
		switch {
		case head != "" && isRange(head):
			return f.withPodPort(head, protocol, qualified)
		case head == "" || qualified:
			return Flag{}, errWant
		}
		return Flag{Name: head}, checkName(head)
	}
	if ip, isIP := parseIP(word); isIP {
		f.HostIP = ip
		if word, rest, found = strings.Cut(rest, ":"); !found {
			return Flag{}, errWant
		}
	} else if !isRange(word) {
		if qualified {
			return Flag{}, errors.New("the protocol of a port with a name is the image's")
		}
		return parseNamed(word, rest)
	}
	switch {
	case word == "" && !f.HostIP.IsValid():
		// Of a variable that is not set, more likely than not.
		return Flag{}, errNoHostPort
	case word == "":
		return f.withPodPort(rest, protocol, qualified)
	}
	first, count, err := parseRange(word)
	if err != nil {
		return Flag{}, err
	}
	f.HostPort = first
	if f, err = f.withPodPort(rest, protocol, qualified); err == nil && f.Count != count {
		err = fmt.Errorf("%s are %d ports and %s are %d", word, count, rest, f.Count)
	}
	return f, err
}

var (
	errWant       = errors.New("want NAME[:[HOSTIP:]HOSTPORT] or [[HOSTIP:]HOSTPORT:]PODPORT[/PROTOCOL], an IPv6 address in brackets")
	errNoHostPort = errors.New("say which port of the host it is, or leave the colon out for a free one")
)

// withPodPort reads what stands behind the port of the host.
func (f Flag) withPodPort(word, protocol string, qualified bool) (Flag, error) {
	var err error
	if f.PodPort, f.Count, err = parseRange(word); err != nil {
		return f, err
	}
	f.Protocol = "tcp"
	if qualified {
		f.Protocol = strings.ToLower(protocol)
	}
	return f, checkProtocol(f.Protocol)
}

// cutFirst cuts at the first colon that is not of an address in brackets.
func cutFirst(s string) (word, rest string, found bool) {
	if strings.HasPrefix(s, "[") {
		i := strings.Index(s, "]:")
		if i < 0 {
			return "", "", false
		}
		return s[:i+1], s[i+2:], true
	}
	return strings.Cut(s, ":")
}

// parseIP reads an IPv4 address, or an IPv6 address in brackets.
func parseIP(word string) (netip.Addr, bool) {
	inner, bracketed := strings.CutPrefix(word, "[")
	if bracketed {
		inner = strings.TrimSuffix(inner, "]")
	}
	ip, err := netip.ParseAddr(inner)
	if err != nil || ip.Zone() != "" || ip.Is6() != bracketed {
		return netip.Addr{}, false
	}
	return ip, true
}

// parseNamed reads the form of rkt, which lets an IPv6 address stand without brackets.
func parseNamed(name, rest string) (Flag, error) {
	if err := checkName(name); err != nil {
		return Flag{}, err
	}
	f := Flag{Name: name}
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(rest[:i], "["), "]"))
		if err != nil || ip.Zone() != "" {
			return Flag{}, fmt.Errorf("%q is not an IP address", rest[:i])
		}
		f.HostIP, rest = ip.Unmap(), rest[i+1:]
		if rest == "" {
			return f, nil
		}
	}
	if rest == "" {
		return f, errNoHostPort
	}
	var err error
	f.HostPort, err = parsePort(rest)
	return f, err
}

// isRange reports whether a word is meant as a number or a range.
func isRange(word string) bool {
	return strings.Trim(word, "0123456789-") == ""
}

func parseRange(s string) (first, count uint16, err error) {
	low, high, ranged := strings.Cut(s, "-")
	if first, err = parsePort(low); err != nil || !ranged {
		return first, 1, err
	}
	last, err := parsePort(high)
	if err != nil {
		return 0, 0, err
	}
	if last < first {
		return 0, 0, fmt.Errorf("the range %s runs backwards", s)
	}
	return first, last - first + 1, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || strings.HasPrefix(s, "+") {
		return 0, fmt.Errorf("%q is not a port, 1 to 65535", s)
	}
	return uint16(n), nil
}

func checkProtocol(p string) error {
	switch p {
	case "tcp", "udp", "sctp":
		return nil
	}
	return fmt.Errorf("protocol %q is none of tcp, udp and sctp", p)
}

// checkName holds a name to appc's AC Name.
func checkName(s string) error {
	const most = 63
	bad := func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }
	if len(s) > most || s[0] == '-' || s[len(s)-1] == '-' || strings.Contains(s, "--") || strings.ContainsFunc(s, bad) {
		return errWant
	}
	return nil
}

// String is the flag's value: Parse(f.String()) is f.
func (f Flag) String() string {
	host := ""
	if f.HostIP.IsValid() {
		host = f.HostIP.String() + ":"
		if f.HostIP.Is6() {
			host = "[" + f.HostIP.String() + "]:"
		}
	}
	switch pod := span(f.PodPort, f.Count) + "/" + f.Protocol; {
	case f.Name != "" && f.HostPort == 0 && host == "":
		return f.Name
	case f.Name != "" && f.HostPort == 0:
		return f.Name + ":" + host
	case f.Name != "":
		return f.Name + ":" + host + strconv.Itoa(int(f.HostPort))
	case f.HostPort == 0 && host == "":
		return pod
	case f.HostPort == 0:
		return host + ":" + pod
	default:
		return host + span(f.HostPort, f.Count) + ":" + pod
	}
}

// Text is a published port as people read it: "8080:80/tcp", or "80/tcp" before one of the host
// is picked.
func Text(p stageabi.Port) string {
	ip, _ := netip.ParseAddr(p.HostIP)
	return Flag{Protocol: p.Protocol, HostIP: ip, HostPort: p.HostPort, PodPort: p.PodPort, Count: p.Count}.String()
}

func span(first, count uint16) string {
	s := strconv.Itoa(int(first))
	if count > 1 {
		s += "-" + strconv.Itoa(int(first)+int(count)-1)
	}
	return s
}
