package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/netlink"
)

// rtnetlink is a socket to the routing family (rtnetlink(7)) of the calling thread's
// network namespace.
type rtnetlink struct{ fd int }

func openNetlink() (*rtnetlink, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	return &rtnetlink{fd}, nil
}

func (n *rtnetlink) close() { _ = unix.Close(n.fd) }

// do sends one message and waits for its acknowledgement.
func (n *rtnetlink) do(kind, flags uint16, body []byte) error {
	m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = binary.NativeEndian.AppendUint16(m, flags|unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	m = binary.NativeEndian.AppendUint32(m, 1)
	m = binary.NativeEndian.AppendUint32(m, 0)
	if err := unix.Sendto(n.fd, append(m, body...), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, 4096)
	got, _, err := unix.Recvfrom(n.fd, answer, 0)
	if err != nil {
		return os.NewSyscallError("recvfrom", err)
	}
	if got < unix.SizeofNlMsghdr+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("the kernel gave no acknowledgement")
	}
	if e := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:])); e != 0 {
		return unix.Errno(-e)
	}
	return nil
}

func linkBody(index int32, flags, change uint32) []byte {
	b := make([]byte, 4, unix.SizeofIfInfomsg)
	b = binary.NativeEndian.AppendUint32(b, uint32(index))
	b = binary.NativeEndian.AppendUint32(b, flags)
	return binary.NativeEndian.AppendUint32(b, change)
}

// setUp brings an interface up.
func (n *rtnetlink) setUp(index int32) error {
	return n.do(unix.RTM_NEWLINK, 0, linkBody(index, unix.IFF_UP, unix.IFF_UP))
}

// addLink makes an interface of that kind.
func (n *rtnetlink) addLink(name, kind string) error {
	body := append(linkBody(0, 0, 0), netlink.Text(unix.IFLA_IFNAME, name)...)
	body = append(body, netlink.Nested(unix.IFLA_LINKINFO, netlink.Text(unix.IFLA_INFO_KIND, kind))...)
	return n.do(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, body)
}

// addAddress gives an interface an address. It makes no route and is not asked for on
// the link.
func (n *rtnetlink) addAddress(index int32, p netip.Prefix, flags uint32) error {
	family := byte(unix.AF_INET)
	if p.Addr().Is6() {
		family = unix.AF_INET6
	}
	body := []byte{family, byte(p.Bits()), 0, unix.RT_SCOPE_UNIVERSE}
	body = binary.NativeEndian.AppendUint32(body, uint32(index))
	body = append(body, netlink.Attr(unix.IFA_LOCAL, p.Addr().AsSlice())...)
	body = append(body, netlink.Attr(unix.IFA_ADDRESS, p.Addr().AsSlice())...)
	body = append(body, netlink.Attr(unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, flags))...)
	return n.do(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, body)
}

// index is an interface's in the calling thread's namespace.
func (n *rtnetlink) index(name string) (int32, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, ifr); err != nil {
		return 0, fmt.Errorf("interface %q: %w", name, err)
	}
	return int32(ifr.Uint32()), nil
}

// vouch makes an IPv6 address of an interface usable at once: without it the kernel takes a
// second or two to ask whether somebody else has it.
func (n *rtnetlink) vouch(index int32, a netip.Addr) error {
	p := netip.PrefixFrom(a, a.BitLen())
	body := []byte{unix.AF_INET6, byte(p.Bits()), 0, 0}
	body = binary.NativeEndian.AppendUint32(body, uint32(index))
	body = append(body, netlink.Attr(unix.IFA_LOCAL, a.AsSlice())...)
	if err := n.do(unix.RTM_DELADDR, 0, body); err != nil {
		return err
	}
	return n.addAddress(index, p, unix.IFA_F_NODAD)
}
