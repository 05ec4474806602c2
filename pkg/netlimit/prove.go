package netlimit

import (
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/nftables"
)

// span is how much deeper a group may be for the kernel than for the caller: how deep a
// cgroup namespace may be.
const span = 32

// Prove finds the level at which the kernel finds g, the caller's own or one above it. For that it sends
// itself datagrams, each under a mark of its own, past a rule for each level that drops it: whoever
// sends what is dropped is told so. It leaves the table, for SetGroup to replace.
func Prove(table string, g Group) (level int, err error) {
	const chain = "proof"
	b := nftables.NewBatch()
	b.NewTable(table)
	b.Chain(table, chain, nftables.TypeFilter, nftables.Output, nftables.PriorityFilter)
	for l := g.depth; l < g.depth+span; l++ {
		b.Rule(table, chain, nftables.Meta(unix.NFT_META_MARK), nftables.Is(native32(mark(l))),
			nftables.SocketGroup(l), nftables.Is(g.bytes()), nftables.Drop())
	}
	if err := b.Commit(); err != nil {
		return 0, errors.New("nf_tables takes no rule for the sockets of a control group: " + err.Error())
	}
	fd, err := toItself()
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	switch dropped, err := send(fd, 0); {
	case err != nil:
		return 0, err
	case dropped:
		return 0, errors.New("packets on the loopback interface are dropped by other rules")
	}
	var found []int
	for l := g.depth; l < g.depth+span; l++ {
		dropped, err := send(fd, mark(l))
		if err != nil {
			return 0, err
		}
		if dropped {
			found = append(found, l)
		}
	}
	if len(found) != 1 {
		return 0, errors.New("the kernel finds the control group at " + strconv.Itoa(len(found)) + " levels of nf_tables' \"socket cgroupv2\", where it should be 1")
	}
	return found[0], nil
}

func mark(level int) uint32 { return uint32(level) + 1 }

// toItself makes a socket that sends to itself.
func toItself() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err == nil {
		var a unix.Sockaddr
		if a, err = unix.Getsockname(fd); err == nil {
			err = unix.Connect(fd, a)
		}
	}
	if err != nil {
		return -1, errors.Join(os.NewSyscallError("bind to the loopback interface", err), unix.Close(fd))
	}
	return fd, nil
}

// send reports whether a datagram under that mark is dropped.
func send(fd int, mark uint32) (dropped bool, err error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(mark)); err != nil {
		return false, os.NewSyscallError("mark packets", err)
	}
	_, err = unix.Write(fd, []byte{0})
	if errors.Is(err, unix.EPERM) {
		return true, nil
	}
	return false, os.NewSyscallError("send", err)
}
