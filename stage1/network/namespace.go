package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/stageabi"
)

// namespace is a network namespace that nothing but this descriptor and whoever joins it
// keeps.
type namespace struct{ fd int }

// path is what plugins get: it is good as long as this process has the descriptor, and
// after an exec that keeps it.
func (n *namespace) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.fd) }

func (n *namespace) close() error { return unix.Close(n.fd) }

// newNamespace makes a network namespace with a loopback interface that is up.
func newNamespace() (*namespace, error) { return makeNamespace(setUpOwn) }

// loopback is the index of lo, the first interface of every namespace.
const loopback = 1

func setUpOwn(n *rtnetlink) error {
	// Nobody else can have the pod's addresses on its own link: they are usable at once,
	// not after the second or two in which the kernel asks for them. Not there on a host
	// without IPv6.
	for _, of := range [...]string{"all", "default"} {
		path := "/proc/sys/net/ipv6/conf/" + of + "/accept_dad"
		if err := os.WriteFile(path, []byte("0"), 0o644); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	return n.setUp(loopback)
}

// standIn makes a namespace as a plugin expects it that undoes what it did to one: with an
// interface of that name and these addresses. Plugins learn from it what to undo
// elsewhere, such as rules to masquerade.
func standIn(ifName string, addresses []netip.Prefix) (*namespace, error) {
	return makeNamespace(func(n *rtnetlink) error {
		if err := n.addLink(ifName, "veth"); err != nil {
			return fmt.Errorf("add %q: %w", ifName, err)
		}
		index, err := n.index(ifName)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if err := n.addAddress(index, a, unix.IFA_F_NODAD|unix.IFA_F_NOPREFIXROUTE); err != nil {
				return fmt.Errorf("add address %s: %w", a, err)
			}
		}
		return nil
	})
}

// vouchForGateways makes the IPv6 addresses usable at once that the host has, for a pod alone, at
// its end of the pod's link. Where the gateway is elsewhere there is nothing to do.
func vouchForGateways(a stageabi.Attached) error {
	if a.HostIf == "" {
		return nil
	}
	n, err := openNetlink()
	if err != nil {
		return err
	}
	defer n.close()
	for _, g := range a.Gateways {
		ip, err := netip.ParseAddr(g)
		if err != nil || !ip.Is6() {
			continue
		}
		index, err := n.index(a.HostIf)
		if err != nil {
			return err
		}
		if err := n.vouch(index, ip); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
			return fmt.Errorf("gateway %s at %s: %w", ip, a.HostIf, err)
		}
	}
	return nil
}

// makeNamespace makes a namespace and has it filled by a thread in it, which ends with
// that: it belongs nowhere else any more.
func makeNamespace(fill func(*rtnetlink) error) (*namespace, error) {
	type made struct {
		ns  *namespace
		err error
	}
	done := make(chan made, 1)
	go func() {
		runtime.LockOSThread()
		ns, err := unshareNamespace(fill)
		done <- made{ns, err}
	}()
	m := <-done
	if m.err != nil {
		return nil, fmt.Errorf("make a network namespace: %w", m.err)
	}
	return m.ns, nil
}

func unshareNamespace(fill func(*rtnetlink) error) (*namespace, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, os.NewSyscallError("unshare", err)
	}
	n, err := openNetlink()
	if err != nil {
		return nil, err
	}
	defer n.close()
	if err := fill(n); err != nil {
		return nil, err
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return &namespace{fd}, nil
}
