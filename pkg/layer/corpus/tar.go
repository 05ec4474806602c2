package corpus

import (
	"archive/tar"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// entry is a tar entry; where raw is set, nothing else is.
type entry struct {
	name, link, body string
	kind             byte // a regular file by default
	mode             int64
	uid              int
	pax              map[string]string
	raw              []byte
}

const (
	dir     = tar.TypeDir
	symlink = tar.TypeSymlink
	hard    = tar.TypeLink
	fifo    = tar.TypeFifo
	char    = tar.TypeChar
	block   = tar.TypeBlock
)

// madeAt is the time of every file.
func madeAt() time.Time { return time.Unix(1_600_000_000, 0) }

// makeTar is a well-formed tar of the entries.
func makeTar(entries ...entry) []byte {
	var buf bytes.Buffer
	for _, e := range entries {
		buf.Write(e.bytes())
	}
	buf.Write(make([]byte, 1024))
	return buf.Bytes()
}

// bytes are the entry's blocks. What archive/tar would not write is written by
// hand: this package makes what no tool should.
func (e entry) bytes() []byte {
	if e.raw != nil {
		return e.raw
	}
	if len(e.name) > 100 || len(e.link) > 100 || len(e.pax) > 0 {
		records := maps.Clone(e.pax)
		if records == nil {
			records = map[string]string{}
		}
		if len(e.name) > 100 {
			records["path"] = e.name
		}
		if len(e.link) > 100 {
			records["linkpath"] = e.link
		}
		e.pax = nil
		return append(paxHeader('x', records), e.ustar()...)
	}
	return e.ustar()
}

func (e entry) ustar() []byte {
	h := header{name: e.name, link: e.link, kind: e.kind, size: int64(len(e.body)), mode: e.mode, uid: int64(e.uid), gid: int64(e.uid)}
	if h.kind == 0 {
		h.kind = tar.TypeReg
	}
	if h.mode == 0 {
		h.mode = 0o644
		if h.kind == dir {
			h.mode = 0o755
		}
	}
	return append(h.block(), padded(e.body)...)
}

// header is a ustar header, each field of which may say what no file system could.
type header struct {
	name, link     string
	kind           byte
	size           int64
	mode, uid, gid int64
	// sizeField and mtimeField stand as they are, where they are set.
	sizeField, mtimeField string
	magic                 string // "ustar\x0000" by default
	damage                bool   // of the checksum
	more                  func([]byte)
}

func (h header) block() []byte {
	b := make([]byte, 512)
	copy(b[:100], h.name)
	number(b[100:108], h.mode)
	number(b[108:116], h.uid)
	number(b[116:124], h.gid)
	number(b[124:136], h.size)
	number(b[136:148], madeAt().Unix())
	if h.sizeField != "" {
		copy(b[124:136], h.sizeField)
	}
	if h.mtimeField != "" {
		copy(b[136:148], h.mtimeField)
	}
	b[156] = h.kind
	copy(b[157:257], h.link)
	copy(b[257:265], "ustar\x0000")
	if h.magic != "" {
		copy(b[257:265], h.magic)
	}
	if h.more != nil {
		h.more(b)
	}
	total := 8 * int(' ')
	for i, c := range b {
		if i < 148 || i >= 156 {
			total += int(c)
		}
	}
	if h.damage {
		total++
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", total))
	return b
}

// number writes octal digits, or base 256 where there are too few or the value is negative.
func number(field []byte, v int64) {
	if digits := fmt.Sprintf("%0*o", len(field)-1, v); v >= 0 && len(digits) < len(field) {
		copy(field, digits)
		return
	}
	for i := len(field) - 1; i >= 0; i-- {
		field[i] = byte(v)
		v >>= 8
	}
	field[0] |= 0x80
}

// padded is a body in whole blocks.
func padded(body string) []byte {
	b := []byte(body)
	if rest := len(b) % 512; rest != 0 {
		b = append(b, make([]byte, 512-rest)...)
	}
	return b
}

// paxHeader has well-formed records ("%d %s=%s\n", pax(1)), in order of their keys.
func paxHeader(kind byte, records map[string]string) []byte {
	var body strings.Builder
	for _, key := range slices.Sorted(maps.Keys(records)) {
		body.WriteString(paxRecord(key, records[key]))
	}
	return paxBody(kind, body.String())
}

func paxRecord(key, value string) string {
	size := len(key) + len(value) + 3
	for size != len(key)+len(value)+3+len(fmt.Sprint(size)) {
		size = len(key) + len(value) + 3 + len(fmt.Sprint(size))
	}
	return fmt.Sprintf("%d %s=%s\n", size, key, value)
}

func paxBody(kind byte, body string) []byte {
	h := header{name: "PaxHeaders.0/x", kind: kind, size: int64(len(body)), mode: 0o644}
	return append(h.block(), padded(body)...)
}

// gnuLong is a GNU header for a long name ('L') or link ('K').
func gnuLong(kind byte, text string) []byte {
	h := header{name: "././@LongLink", kind: kind, size: int64(len(text) + 1), magic: "ustar  \x00"}
	return append(h.block(), padded(text+"\x00")...)
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
