package nftables

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/netlink"
)

// Expression is one step of a rule.
type Expression []byte

// Families, as packets have them (NFPROTO_IPV4, NFPROTO_IPV6).
const (
	IPv4 = 2
	IPv6 = 10
)

const (
	register1     = 1
	networkHeader = 1 // NFT_PAYLOAD_NETWORK_HEADER
)

func number(kind uint16, v uint32) []byte {
	return netlink.Attr(kind, binary.BigEndian.AppendUint32(nil, v))
}

func expression(name string, attributes ...[]byte) Expression {
	return netlink.Nested(unix.NFTA_LIST_ELEM, netlink.Text(unix.NFTA_EXPR_NAME, name), netlink.Nested(unix.NFTA_EXPR_DATA, attributes...))
}

// Meta reads what is known about the packet: key is unix.NFT_META_…
func Meta(key uint32) Expression {
	return expression("meta", number(unix.NFTA_META_DREG, register1), number(unix.NFTA_META_KEY, key))
}

// Network reads a part of the network header.
func Network(offset, length uint32) Expression {
	return expression("payload", number(unix.NFTA_PAYLOAD_DREG, register1), number(unix.NFTA_PAYLOAD_BASE, networkHeader),
		number(unix.NFTA_PAYLOAD_OFFSET, offset), number(unix.NFTA_PAYLOAD_LEN, length))
}

// Prefix keeps the first bits of what was read, which has so many bytes.
func Prefix(bits, width int) Expression {
	mask := make([]byte, width)
	for i := range bits {
		mask[i/8] |= 0x80 >> (i % 8)
	}
	return expression("bitwise", number(unix.NFTA_BITWISE_SREG, register1), number(unix.NFTA_BITWISE_DREG, register1), number(unix.NFTA_BITWISE_LEN, uint32(width)),
		netlink.Nested(unix.NFTA_BITWISE_MASK, netlink.Attr(unix.NFTA_DATA_VALUE, mask)), netlink.Nested(unix.NFTA_BITWISE_XOR, netlink.Attr(unix.NFTA_DATA_VALUE, make([]byte, width))))
}

// Is goes on where what was read is value.
func Is(value []byte) Expression { return compare(unix.NFT_CMP_EQ, value) }

// IsNot goes on where it is not.
func IsNot(value []byte) Expression { return compare(unix.NFT_CMP_NEQ, value) }

func compare(how uint32, value []byte) Expression {
	return expression("cmp", number(unix.NFTA_CMP_SREG, register1), number(unix.NFTA_CMP_OP, how),
		netlink.Nested(unix.NFTA_CMP_DATA, netlink.Attr(unix.NFTA_DATA_VALUE, value)))
}

// Masquerade sends the packet with an address of the interface it leaves by.
func Masquerade() Expression { return expression("masq") }

// SocketGroup reads the ID of a control group of the unified hierarchy: of the one at that level
// above the group in which the packet's socket was made. Whether levels are counted from the root
// of the hierarchy or of the caller's cgroup namespace depends on the kernel.
func SocketGroup(level int) Expression {
	const key, target, at, group = 1, 2, 3, 3 // NFTA_SOCKET_KEY, …_DREG, …_LEVEL, NFT_SOCKET_CGROUPV2
	return expression("socket", number(key, group), number(target, register1), number(at, uint32(level)))
}

// Over goes on where more bytes pass than so many a second and, at once, those of one second
// and burst.
func Over(bytesPerSecond uint64, burst uint32) Expression {
	const bytes, inverted = 1, 1 // NFT_LIMIT_PKT_BYTES, NFT_LIMIT_F_INV
	return expression("limit", wide(unix.NFTA_LIMIT_RATE, bytesPerSecond), wide(unix.NFTA_LIMIT_UNIT, 1), number(unix.NFTA_LIMIT_BURST, burst),
		number(unix.NFTA_LIMIT_TYPE, bytes), number(unix.NFTA_LIMIT_FLAGS, inverted))
}

// Counter counts the packets that come so far, for people to see.
func Counter() Expression { return expression("counter") }

// Drop drops the packet. Whoever sends it is told so: EPERM.
func Drop() Expression {
	verdict := netlink.Nested(unix.NFTA_DATA_VERDICT, number(unix.NFTA_VERDICT_CODE, 0)) // NF_DROP
	return expression("immediate", number(unix.NFTA_IMMEDIATE_DREG, unix.NFT_REG_VERDICT), netlink.Nested(unix.NFTA_IMMEDIATE_DATA, verdict))
}

func wide(kind uint16, v uint64) []byte {
	return netlink.Attr(kind, binary.BigEndian.AppendUint64(nil, v))
}
