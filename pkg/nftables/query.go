package nftables

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/netlink"
)

// HasTable fails where there is no table of that name, with ENOENT.
func HasTable(name string) error {
	b := &Batch{}
	b.add(unix.NFT_MSG_GETTABLE, 0, netlink.Text(unix.NFTA_TABLE_NAME, name))
	return b.send(1)
}

// DropTable deletes a table in a transaction of its own. That there is none is no error.
func DropTable(name string) error {
	b := NewBatch()
	b.DeleteTable(name)
	if err := b.Commit(); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// ChainPolicy is what becomes of packets that no rule of a base chain decides: 0 (NF_DROP) or
// 1 (NF_ACCEPT). family is IPv4 or IPv6, for the tables of iptables. The error is ENOENT where there is no such chain.
func ChainPolicy(family byte, table, chain string) (uint32, error) {
	b := &Batch{}
	b.message(subsystem<<8|unix.NFT_MSG_GETCHAIN, 0, family, 0, slices.Concat(netlink.Text(unix.NFTA_CHAIN_TABLE, table), netlink.Text(unix.NFTA_CHAIN_NAME, chain)))
	const accept = 1
	policy := uint32(accept)
	err := b.exchange(1, func(kind uint16, body []byte) {
		if kind != subsystem<<8|unix.NFT_MSG_NEWCHAIN || len(body) < 4 {
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
