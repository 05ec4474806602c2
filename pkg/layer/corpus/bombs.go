package corpus

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Bombs returns archives that are small to send and large to unpack. They take
// seconds to make.
func Bombs() []Archive {
	c := &chapter{class: classBombs}
	add := func(name, does, reason string, l Layer) {
		c.raw(Archive{Name: name, Does: does, Want: Refused, Reason: reason}, l)
	}
	const mib = 1 << 20
	file := header{name: "zeros", kind: '0', mode: 0o644, size: 1200 * mib}.block()
	tail := make([]byte, 1024)
	// One member of 16 MiB of zeros again and again: 1.2 GB in 1.2 MB.
	add("bomb-gzip", "1.2 GB of zeros in 1.2 MB of gzip", "the limit for its size",
		Layer{Blob: bytes.Join([][]byte{gz(file), bytes.Repeat(gz(make([]byte, 16*mib)), 75), gz(tail)}, nil), DiffID: sumOf(file, 1200*mib, tail), MediaType: mediaGzip})
	add("bomb-zstd", "1.2 GB of zeros in 38 KB of zstd", "the limit for its size",
		Layer{Blob: bytes.Join([][]byte{zst(file), zstdZeros(1200 * mib), zst(tail)}, nil), DiffID: sumOf(file, 1200*mib, tail), MediaType: mediaZstd})
	// Nothing but headers; more of them than a file system has room for.
	entries := manyEntries(1<<20 + 100)
	add("bomb-entries", "1,048,676 empty files in 4 MB", "more entries than the limit", Layer{Blob: gz(entries), DiffID: sum(entries), MediaType: mediaGzip})
	deep := impliedDirectories(200_000)
	add("bomb-implied", "200,000 directories that no entry describes", "too many directories", Layer{Blob: gz(deep), DiffID: sum(deep), MediaType: mediaGzip})
	return c.list
}

func sumOf(head []byte, zeroBytes int64, tail []byte) string {
	h := sha256.New()
	h.Write(head)
	_, err := io.Copy(h, io.LimitReader(zeros{}, zeroBytes))
	mustWrite(err)
	h.Write(tail)
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

// zstdZeros are blocks that repeat one byte (RFC 8878, section 3.1.1.2.3): 128
// KiB in four bytes.
func zstdZeros(size int) []byte {
	const blockBytes = 128 << 10
	out := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3} // a window of 128 KiB
	for left := size; left > 0; left -= blockBytes {
		n := min(left, blockBytes)
		block := uint32(n)<<3 | 1<<1
		if left <= blockBytes {
			block |= 1
		}
		out = append(out, byte(block), byte(block>>8), byte(block>>16), 0)
	}
	return out
}

func manyEntries(n int) []byte {
	var buf bytes.Buffer
	buf.Grow((n + 2) * 512)
	for i := range n {
		buf.Write(header{name: strconv.Itoa(i/1000) + "/" + strconv.Itoa(i), kind: '0', mode: 0o644}.block())
	}
	buf.Write(make([]byte, 1024))
	return buf.Bytes()
}

func impliedDirectories(n int) []byte {
	var buf bytes.Buffer
	for i := range n {
		buf.Write(entry{name: fmt.Sprintf("%s%d/f", strings.Repeat("long", 20), i)}.ustar())
	}
	buf.Write(make([]byte, 1024))
	return buf.Bytes()
}
