package nftables

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/netlink"
)

// Messages that golang.org/x/sys/unix has no names for (linux/netfilter/nfnetlink.h).
const (
	subsystem  = unix.NFNL_SUBSYS_NFTABLES
	batchBegin = 0x10
	batchEnd   = 0x11
	familyInet = 1 // NFPROTO_INET
)

// Batch is a transaction: all of it is done, or nothing.
type Batch struct {
	text []byte
	acks int
}

// NewBatch begins a transaction.
func NewBatch() *Batch {
	b := &Batch{}
	b.message(batchBegin, 0, unix.AF_UNSPEC, subsystem, nil)
	return b
}

func (b *Batch) message(kind, flags uint16, family byte, resource uint16, body []byte) {
	const headers = unix.SizeofNlMsghdr + 4
	b.text = binary.NativeEndian.AppendUint32(b.text, uint32(headers+len(body)))
	b.text = binary.NativeEndian.AppendUint16(b.text, kind)
	b.text = binary.NativeEndian.AppendUint16(b.text, flags|unix.NLM_F_REQUEST)
	b.text = binary.NativeEndian.AppendUint32(b.text, uint32(b.acks))
	b.text = binary.NativeEndian.AppendUint32(b.text, 0)
	b.text = append(b.text, family, 0)
	b.text = binary.BigEndian.AppendUint16(b.text, resource)
	b.text = append(b.text, body...)
}

// add adds a message of nf_tables, made of attributes.
func (b *Batch) add(kind int, flags uint16, attributes ...[]byte) {
	b.acks++
	b.message(subsystem<<8|uint16(kind), flags|unix.NLM_F_ACK, familyInet, 0, slices.Concat(attributes...))
}

// Table makes a table, or takes the one that is there.
func (b *Batch) Table(name string) {
	b.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, netlink.Text(unix.NFTA_TABLE_NAME, name))
}

// DeleteTable deletes a table and all that is in it.
func (b *Batch) DeleteTable(name string) {
	b.add(unix.NFT_MSG_DELTABLE, 0, netlink.Text(unix.NFTA_TABLE_NAME, name))
}

// NewTable makes a table, in the place of the one that may be there.
func (b *Batch) NewTable(name string) {
	b.Table(name)
	b.DeleteTable(name)
	b.Table(name)
}

// Where chains are called from, by the kernel's numbers (NF_INET_LOCAL_IN and its like), and
// the usual priorities there.
const (
	Input           = unix.NF_INET_LOCAL_IN
	Output          = unix.NF_INET_LOCAL_OUT
	PostRouting     = unix.NF_INET_POST_ROUTING
	PriorityFilter  = 0
	PrioritySource  = 100 // of source address translation
	TypeFilter      = "filter"
	TypeTranslation = "nat"
)

// Chain makes a chain that the kernel calls at hook.
func (b *Batch) Chain(table, chain, kind string, hook, priority uint32) {
	b.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE,
		netlink.Text(unix.NFTA_CHAIN_TABLE, table), netlink.Text(unix.NFTA_CHAIN_NAME, chain), netlink.Text(unix.NFTA_CHAIN_TYPE, kind),
		netlink.Nested(unix.NFTA_CHAIN_HOOK, number(unix.NFTA_HOOK_HOOKNUM, hook), number(unix.NFTA_HOOK_PRIORITY, priority)))
}

// Rule adds a rule at the end of a chain.
func (b *Batch) Rule(table, chain string, expressions ...Expression) {
	list := make([][]byte, len(expressions))
	for i, e := range expressions {
		list[i] = e
	}
	b.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND,
		netlink.Text(unix.NFTA_RULE_TABLE, table), netlink.Text(unix.NFTA_RULE_CHAIN, chain), netlink.Nested(unix.NFTA_RULE_EXPRESSIONS, list...))
}

// Commit sends the transaction. The error is the kernel's first, a unix.Errno.
func (b *Batch) Commit() error {
	b.message(batchEnd, 0, unix.AF_UNSPEC, subsystem, nil)
	return b.send(b.acks)
}

// send sends messages and reads the answers to so many of them.
func (b *Batch) send(answers int) error { return b.exchange(answers, func(uint16, []byte) {}) }

// exchange is send, and shows the answers.
func (b *Batch) exchange(answers int, show func(kind uint16, body []byte)) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, b.text, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	buffer := make([]byte, 1<<16)
	for answers > 0 {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		for text := buffer[:n]; len(text) >= unix.SizeofNlMsghdr; answers-- {
			length := int(binary.NativeEndian.Uint32(text))
			if length < unix.SizeofNlMsghdr || length > len(text) {
				return errors.New("an answer of the kernel's that is cut off")
			}
			if binary.NativeEndian.Uint16(text[4:]) == unix.NLMSG_ERROR && length >= unix.SizeofNlMsghdr+4 {
				if e := int32(binary.NativeEndian.Uint32(text[unix.SizeofNlMsghdr:])); e != 0 {
					return unix.Errno(-e)
				}
			}
			show(binary.NativeEndian.Uint16(text[4:]), text[unix.SizeofNlMsghdr:length])
			text = text[min((length+3)&^3, len(text)):]
		}
	}
	return nil
}
