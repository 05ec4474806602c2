package netlink

import (
	"encoding/binary"
	"slices"

	"golang.org/x/sys/unix"
)

// Attr is an attribute of a message, padded to what follows it.
func Attr(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// Nested is an attribute whose value is others.
func Nested(kind uint16, attributes ...[]byte) []byte {
	return Attr(kind|unix.NLA_F_NESTED, slices.Concat(attributes...))
}

// Text is an attribute whose value is a string of C.
func Text(kind uint16, s string) []byte { return Attr(kind, append([]byte(s), 0)) }
