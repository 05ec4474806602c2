package netlimit

import (
	"encoding/binary"
	"math"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/nftables"
)

const (
	// most is what the kernel can count: nanoseconds by bytes are a number of 64 bits.
	most = 16_000_000_000
	// leastBucket is what may always pass at once. The kernel makes and takes packets of up to
	// 64 KiB, which it cuts and joins elsewhere: none that is bigger than the bucket would
	// ever pass.
	leastBucket = 128 << 10
	loopback    = 1 // the index of lo, the first interface of every namespace
)

// Bucket is how many bytes may pass at once under a limit.
func Bucket(bytesPerSecond uint64) uint64 { return max(min(bytesPerSecond, most), leastBucket) }

// SetGroup limits g, proven to be at that level, by a table of that name, which it replaces.
func SetGroup(table string, g Group, level int, bytesPerSecond uint64) error {
	return set(table, bytesPerSecond, nftables.SocketGroup(level), nftables.Is(g.bytes()))
}

// SetAll limits all of the namespace together.
func SetAll(table string, bytesPerSecond uint64) error { return set(table, bytesPerSecond) }

func set(table string, bytesPerSecond uint64, whose ...nftables.Expression) error {
	rate := min(bytesPerSecond, most)
	burst := uint32(min(Bucket(rate)-rate, math.MaxUint32))
	b := nftables.NewBatch()
	b.NewTable(table)
	for _, c := range [...]struct {
		name   string
		hook   uint32
		device uint32
	}{{"sent", nftables.Output, unix.NFT_META_OIF}, {"received", nftables.Input, unix.NFT_META_IIF}} {
		b.Chain(table, c.name, nftables.TypeFilter, c.hook, nftables.PriorityFilter)
		rule := append([]nftables.Expression{nftables.Meta(c.device), nftables.IsNot(native32(loopback))}, whose...)
		b.Rule(table, c.name, append(rule, nftables.Over(rate, burst), nftables.Counter(), nftables.Drop())...)
	}
	return b.Commit()
}

func (g Group) bytes() []byte { return binary.NativeEndian.AppendUint64(nil, g.id) }

func native32(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
