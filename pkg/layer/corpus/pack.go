package corpus

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func gz(b []byte) []byte {
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	_, err := z.Write(b)
	mustWrite(err)
	mustWrite(z.Close())
	return buf.Bytes()
}

func zst(b []byte) []byte {
	z, err := zstd.NewWriter(nil)
	mustWrite(err)
	return z.EncodeAll(b, nil)
}

// zstdFrame is a frame of one block of b as it is (RFC 8878, section 3.1.1).
func zstdFrame(descriptor byte, header, b []byte) []byte {
	out := append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, header...)
	block := uint32(len(b))<<3 | 1 // raw, and the last
	out = append(out, byte(block), byte(block>>8), byte(block>>16))
	return append(out, b...)
}

// zstdWindow asks for a window of 2^(10+exponent) bytes.
func zstdWindow(b []byte, exponent byte) []byte { return zstdFrame(0, []byte{exponent << 3}, b) }

// zstdSegment is a frame that is to be kept in memory as a whole.
func zstdSegment(b []byte, size uint64) []byte {
	return zstdFrame(0xe0, binary.LittleEndian.AppendUint64(nil, size), b)
}

// zstdDictionary names a dictionary.
func zstdDictionary(b []byte) []byte { return zstdFrame(0x01, []byte{0x50, 0x77}, b) }

// skippable is a frame that decoders pass over (section 3.1.2).
func skippable(n int) []byte {
	out := binary.LittleEndian.AppendUint32([]byte{0x50, 0x2a, 0x4d, 0x18}, uint32(n))
	return append(out, make([]byte, n)...)
}
