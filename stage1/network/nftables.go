package network

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Messages, attributes and values of nf_tables (linux/netfilter/nf_tables.h) that
// golang.org/x/sys/unix has no names for, or others.
const (
	nftSubsystem  = unix.NFNL_SUBSYS_NFTABLES
	batchBegin    = 0x10
	batchEnd      = 0x11
	familyInet    = 1
	nfIPv4        = 2
	nfIPv6        = 10
	postRouting   = 4
	prioritySNAT  = 100
	register1     = 1
	networkHeader = 1
	equal         = 0
	notEqual      = 1
)

// nfBatch is a transaction: all of it is done, or nothing.
type nfBatch struct {
	text []byte
	acks int
}

func (b *nfBatch) message(kind, flags uint16, family byte, resource uint16, body []byte) {
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

func newBatch() *nfBatch {
	b := &nfBatch{}
	b.message(batchBegin, 0, unix.AF_UNSPEC, nftSubsystem, nil)
	return b
}

// add adds a message of nf_tables, made of attributes.
func (b *nfBatch) add(kind int, flags uint16, attributes ...[]byte) {
	b.acks++
	b.message(nftSubsystem<<8|uint16(kind), flags|unix.NLM_F_ACK, familyInet, 0, join(attributes))
}

func (b *nfBatch) table(name string) {
	b.add(unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, attr(unix.NFTA_TABLE_NAME, zero(name)))
}

// sourceNAT adds a chain to a table that sees connections that leave the host.
func (b *nfBatch) sourceNAT(table, chain string) {
	b.add(unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE,
		attr(unix.NFTA_CHAIN_TABLE, zero(table)), attr(unix.NFTA_CHAIN_NAME, zero(chain)), attr(unix.NFTA_CHAIN_TYPE, zero("nat")),
		nested(unix.NFTA_CHAIN_HOOK, number(unix.NFTA_HOOK_HOOKNUM, postRouting), number(unix.NFTA_HOOK_PRIORITY, prioritySNAT)))
}

// masquerade adds a rule: what comes from the address and does not go to its network, nor
// to a group, leaves with an address of the host's.
func (b *nfBatch) masquerade(table, chain string, p netip.Prefix) {
	proto, source, target, width := byte(nfIPv4), uint32(12), uint32(16), uint32(4)
	group := netip.MustParsePrefix("224.0.0.0/4")
	if p.Addr().Is6() {
		proto, source, target, width = nfIPv6, 8, 24, 16
		group = netip.MustParsePrefix("ff00::/8")
	}
	expressions := [][]byte{
		expression("meta", number(unix.NFTA_META_DREG, register1), number(unix.NFTA_META_KEY, unix.NFT_META_NFPROTO)),
		compare(equal, []byte{proto}),
		load(source, width), compare(equal, p.Addr().AsSlice()),
	}
	for _, not := range [...]netip.Prefix{p.Masked(), group} {
		expressions = append(expressions, load(target, width), mask(not.Bits(), int(width)), compare(notEqual, not.Addr().AsSlice()))
	}
	expressions = append(expressions, expression("masq"))
	b.add(unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND,
		attr(unix.NFTA_RULE_TABLE, zero(table)), attr(unix.NFTA_RULE_CHAIN, zero(chain)), nested(unix.NFTA_RULE_EXPRESSIONS, expressions...))
}

func join(attributes [][]byte) []byte {
	var all []byte
	for _, a := range attributes {
		all = append(all, a...)
	}
	return all
}

func nested(kind uint16, attributes ...[]byte) []byte {
	return attr(kind|unix.NLA_F_NESTED, join(attributes))
}

func number(kind uint16, v uint32) []byte {
	return attr(kind, binary.BigEndian.AppendUint32(nil, v))
}

func expression(name string, attributes ...[]byte) []byte {
	return nested(unix.NFTA_LIST_ELEM, attr(unix.NFTA_EXPR_NAME, zero(name)), nested(unix.NFTA_EXPR_DATA, attributes...))
}

// load brings a part of the network header into the register.
func load(offset, length uint32) []byte {
	return expression("payload", number(unix.NFTA_PAYLOAD_DREG, register1), number(unix.NFTA_PAYLOAD_BASE, networkHeader),
		number(unix.NFTA_PAYLOAD_OFFSET, offset), number(unix.NFTA_PAYLOAD_LEN, length))
}

// compare goes on with the rule where the register compares so.
func compare(how uint32, value []byte) []byte {
	return expression("cmp", number(unix.NFTA_CMP_SREG, register1), number(unix.NFTA_CMP_OP, how),
		nested(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, value)))
}

// mask keeps the first bits of the register.
func mask(bits, width int) []byte {
	m := make([]byte, width)
	for i := range bits {
		m[i/8] |= 0x80 >> (i % 8)
	}
	return expression("bitwise", number(unix.NFTA_BITWISE_SREG, register1), number(unix.NFTA_BITWISE_DREG, register1), number(unix.NFTA_BITWISE_LEN, uint32(width)),
		nested(unix.NFTA_BITWISE_MASK, attr(unix.NFTA_DATA_VALUE, m)), nested(unix.NFTA_BITWISE_XOR, attr(unix.NFTA_DATA_VALUE, make([]byte, width))))
}

// commit sends the transaction to the calling thread's network namespace.
func (b *nfBatch) commit() error {
	b.message(batchEnd, 0, unix.AF_UNSPEC, nftSubsystem, nil)
	return b.send(b.acks)
}

// hasTable fails where there is no table of that name.
func hasTable(name string) error {
	b := &nfBatch{}
	b.add(unix.NFT_MSG_GETTABLE, 0, attr(unix.NFTA_TABLE_NAME, zero(name)))
	return b.send(1)
}

// chainPolicy is what becomes of packets that no rule of a base chain decides: NF_DROP or
// NF_ACCEPT. The error is ENOENT where there is no such chain.
func chainPolicy(family byte, table, chain string) (uint32, error) {
	b := &nfBatch{}
	b.message(nftSubsystem<<8|unix.NFT_MSG_GETCHAIN, 0, family, 0, join([][]byte{attr(unix.NFTA_CHAIN_TABLE, zero(table)), attr(unix.NFTA_CHAIN_NAME, zero(chain))}))
	const accept = 1
	policy := uint32(accept)
	err := b.exchange(1, func(kind uint16, body []byte) {
		if kind != nftSubsystem<<8|unix.NFT_MSG_NEWCHAIN || len(body) < 4 {
			return
		}
		for rest := body[4:]; len(rest) >= unix.SizeofNlAttr; {
			length := int(binary.NativeEndian.Uint16(rest))
			if length < unix.SizeofNlAttr || length > len(rest) {
				return
			}
			if binary.NativeEndian.Uint16(rest[2:])&^unix.NLA_F_NESTED == unix.NFTA_CHAIN_POLICY && length >= unix.SizeofNlAttr+4 {
				policy = binary.BigEndian.Uint32(rest[unix.SizeofNlAttr:])
			}
			rest = rest[min((length+3)&^3, len(rest)):]
		}
	})
	return policy, err
}

// send sends messages and reads the answers to so many of them.
func (b *nfBatch) send(answers int) error { return b.exchange(answers, func(uint16, []byte) {}) }

// exchange is send, and shows the answers.
func (b *nfBatch) exchange(answers int, show func(kind uint16, body []byte)) error {
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

func deleteTable(name string) error {
	b := newBatch()
	b.add(unix.NFT_MSG_DELTABLE, 0, attr(unix.NFTA_TABLE_NAME, zero(name)))
	if err := b.commit(); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete table inet %s: %w", name, err)
	}
	return nil
}
