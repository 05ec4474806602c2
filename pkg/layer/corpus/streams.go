package corpus

import (
	"bytes"
	"fmt"
	"strings"
)

func headers() []Archive {
	c := &chapter{class: classPAX}
	body := strings.Repeat("x", 600)
	c.refused("size-beyond", "a PAX size beyond the end of the archive", "unexpected EOF", entry{name: "f", body: body, pax: map[string]string{"size": "1000000"}})
	c.refused("size-negative", "a negative PAX size", "invalid tar header", entry{name: "f", body: body, pax: map[string]string{"size": "-512"}})
	c.refused("size-words", "a PAX size in words", "invalid tar header", entry{name: "f", pax: map[string]string{"size": "many"}})
	c.refused("size-huge", "a size of 2⁶²", "limit", entry{raw: header{name: "f", kind: '0', mode: 0o644, size: 1 << 62}.block()})
	c.refused("size-field-negative", "a negative size in base 256", "invalid tar header", entry{raw: header{name: "f", kind: '0', sizeField: "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"}.block()})
	c.refused("size-field-letters", "a size in letters", "invalid tar header", entry{raw: header{name: "f", kind: '0', sizeField: "zzzzzzzzzzz"}.block()})
	// The size in the PAX record says that the second header is a body; by the
	// other size it is an entry.
	smuggled := header{name: "smuggled", kind: '0', mode: 0o644}.block()
	c.contained("size-disagrees", "two sizes, by one of which there is another entry", []string{"f -rw-r--r-- " + string(smuggled)},
		entry{raw: append(paxHeader('x', map[string]string{"size": "512"}), header{name: "f", kind: '0', mode: 0o644}.block()...)}, entry{raw: smuggled}).Note = "the PAX size counts"
	c.refused("path-with-nul", "a PAX path with a NUL in it", "invalid tar header", entry{name: "f", pax: map[string]string{"path": "good\x00../evil"}})
	c.refused("record-length", "a PAX record that is longer than it says", "invalid tar header", entry{raw: paxBody('x', "9 path=evil\n")}, entry{name: "f"})
	c.refused("record-huge", "a PAX record that says it has 10¹⁸ bytes", "invalid tar header", entry{raw: paxBody('x', "1000000000000000000 path=evil\n")}, entry{name: "f"})
	c.refused("record-negative", "a PAX record of negative length", "invalid tar header", entry{raw: paxBody('x', "-5 path=evil\n")}, entry{name: "f"})
	c.refused("header-huge", "a PAX header of 2 MB", "too long", entry{name: "f", pax: map[string]string{"comment": strings.Repeat("x", 2<<20)}})
	c.refused("gnu-name-huge", "a GNU long name of 2 MB", "too long", entry{raw: gnuLong('L', strings.Repeat("x", 2<<20))}, entry{name: "f"})
	c.contained("global-path", "a global PAX header with a path", []string{"f -rw-r--r-- "},
		entry{raw: paxHeader('g', map[string]string{"path": "../evil"})}, entry{name: "f"}).Note = "global headers are ignored"
	c.refused("link-pax", "a harmless link, and .. in the PAX record", "no file of the layer",
		entry{name: "f"}, entry{name: "h", kind: hard, link: "f", pax: map[string]string{"linkpath": "../../etc/passwd"}})
	c.contained("pax-for-nobody", "a PAX header with nothing after it", []string{"f -rw-r--r-- "}, entry{name: "f"}, entry{raw: paxHeader('x', map[string]string{"path": "x"})})
	c.refused("checksum", "a header with a wrong checksum", "invalid tar header", entry{raw: header{name: "f", kind: '0', mode: 0o644, damage: true}.block()})
	headersOnly := []entry{}
	for range 2000 {
		headersOnly = append(headersOnly, entry{raw: paxHeader('g', map[string]string{"comment": "x"})})
	}
	c.contained("headers-only", "2,000 headers of no entry", []string{"f -rw-r--r-- "}, append(headersOnly, entry{name: "f"})...)
	return c.list
}

func sparse() []Archive {
	c := &chapter{class: classSparse}
	c.refused("sparse-huge", "an old GNU sparse file of 8 TiB without data", "limit", entry{raw: gnuSparse(8<<40, [2]int64{8 << 40, 0}, "")})
	c.contained("sparse-small", "an old GNU sparse file", []string{"f -rw-r--r-- " + strings.Repeat("\x00", 512) + "data"},
		entry{raw: gnuSparse(516, [2]int64{512, 4}, "data")}).Note = "holes are filled with zeros"
	c.refused("sparse-backwards", "a part beyond the end of the file", "invalid tar header", entry{raw: gnuSparse(516, [2]int64{1 << 40, 4}, "data")})
	c.refused("sparse-negative", "a part at a negative offset", "invalid tar header", entry{raw: gnuSparse(516, [2]int64{-512, 4}, "data")})
	pax := func(records map[string]string, body string) entry {
		return entry{raw: entry{name: "f", body: body, pax: records}.bytes()}
	}
	c.refused("sparse-pax-huge", "a PAX 0.1 sparse file of 8 TiB", "limit",
		pax(map[string]string{"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "f", "GNU.sparse.size": "8796093022208", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,0"}, ""))
	c.refused("sparse-pax-name", "a PAX sparse file whose other name has ..", `".."`,
		pax(map[string]string{"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "../evil", "GNU.sparse.size": "4", "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,4"}, "data"))
	c.refused("sparse-pax-blocks", "a PAX sparse file of 10⁹ parts", "invalid tar header",
		pax(map[string]string{"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "f", "GNU.sparse.size": "4", "GNU.sparse.numblocks": "1000000000", "GNU.sparse.map": "0,4"}, "data"))
	c.refused("sparse-map-endless", "a PAX 1.0 sparse map without an end", "too long",
		pax(map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": "4"}, strings.Repeat("0", 2<<20)))
	c.refused("sparse-map-overlaps", "parts that overlap", "invalid tar header",
		pax(map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "f", "GNU.sparse.realsize": "1024"},
			string(padded("2\n0\n512\n256\n512\n"))+strings.Repeat("x", 1024)))
	return c.list
}

// gnuSparse is an old GNU sparse file of one part.
func gnuSparse(size int64, part [2]int64, data string) []byte {
	h := header{name: "f", kind: 'S', mode: 0o644, size: int64(len(data)), magic: "ustar  \x00", more: func(b []byte) {
		number(b[386:398], part[0])
		number(b[398:410], part[1])
		number(b[483:495], size)
	}}
	return append(h.block(), padded(data)...)
}

func streams() []Archive {
	c := &chapter{class: classStreams}
	good := makeTar(entry{name: "f", body: "x"})
	tree := []string{"f -rw-r--r-- x"}
	tarball := func(name, does string, b []byte, want []string, reason, note string) {
		a := Archive{Name: name, Does: does, Want: Contained, Tree: want, Note: note}
		if reason != "" {
			a.Want, a.Reason, a.Tree = Refused, reason, nil
		}
		c.raw(a, layerOf(b))
	}
	tarball("trailing-garbage", "bytes after the end of the archive", append(bytes.Clone(good), "garbage, and more of it"...), tree, "", "part of the diff ID, not of the tree")
	tarball("entry-after-end", "an entry after the end of the archive", append(bytes.Clone(good), makeTar(entry{name: "../late"})...), tree, "", "the archive ended before")
	tarball("no-end", "no blocks of zeros at the end", good[:1024], tree, "", "")
	tarball("half-end", "one block of zeros at the end", good[:1536], tree, "", "")
	tarball("zero-block-inside", "one block of zeros between entries", slices512(good[:1024], make([]byte, 512), makeTar(entry{name: "g"})), nil, "invalid tar header", "")
	tarball("cut-in-body", "an archive cut in a file", makeTar(entry{name: "f", body: strings.Repeat("x", 5000)})[:2000], nil, "unexpected EOF", "")
	tarball("cut-in-header", "an archive cut in a header", good[:300], nil, "unexpected EOF", "")
	tarball("nothing", "no bytes at all", nil, []string{}, "", "an empty layer")
	tarball("text", "a text instead of an archive", bytes.Repeat([]byte("nonsense "), 200), nil, "invalid tar header", "")
	tarball("zip", "an archive of another kind", append([]byte("PK\x03\x04"), make([]byte, 600)...), nil, "invalid tar header", "")

	packed := gz(good)
	blob := func(name, does string, l Layer, want []string, reason, note string) {
		a := Archive{Name: name, Does: does, Want: Contained, Tree: want, Note: note}
		if reason != "" {
			a.Want, a.Reason, a.Tree = Refused, reason, nil
		}
		c.raw(a, l)
	}
	gzip := func(b []byte) Layer { return Layer{Blob: b, DiffID: sum(good), MediaType: mediaGzip} }
	blob("gzip-members", "an archive in two gzip members", gzip(append(gz(good[:700]), gz(good[700:])...)), tree, "", "")
	blob("gzip-empty-members", "a thousand empty gzip members", gzip(append(bytes.Repeat(gz(nil), 1000), packed...)), tree, "", "")
	blob("gzip-garbage", "bytes after a gzip stream", gzip(append(bytes.Clone(packed), "garbage, and more of it"...)), nil, "gzip: invalid header", "")
	blob("gzip-cut", "a gzip stream cut short", gzip(packed[:len(packed)-6]), nil, "unexpected EOF", "")
	blob("gzip-checksum", "a gzip stream with a wrong checksum", gzip(flip(packed, len(packed)-8)), nil, "gzip: invalid checksum", "")
	blob("gzip-length", "a gzip stream with a wrong length", gzip(flip(packed, len(packed)-1)), nil, "gzip: invalid checksum", "")
	blob("gzip-twice", "an archive that is compressed twice", Layer{Blob: gz(packed), DiffID: sum(packed), MediaType: mediaGzip}, nil, "read tar", "")
	blob("plain-as-gzip", "an uncompressed archive that says it is gzip", gzip(good), tree, "", "the bytes count, not the media type")
	blob("wrong-diff-id", "an archive that is not the one of the config", Layer{Blob: gz(good), DiffID: sum(nil), MediaType: mediaGzip}, nil, "wrong digest", "")
	blob("bzip2", "bzip2, which no OCI layer has", Layer{Blob: []byte("BZh91AY&SY\x00\x00\x00\x00" + strings.Repeat("\x00", 600)), DiffID: sum(good), MediaType: mediaTar}, nil, "invalid tar header", "")

	z := func(b []byte) Layer { return Layer{Blob: b, DiffID: sum(good), MediaType: mediaZstd} }
	blob("zstd-frames", "an archive in two zstd frames and one to skip", z(append(append(zst(good[:700]), skippable(9)...), zst(good[700:])...)), tree, "", "")
	blob("zstd-window", "a zstd stream with a window of 2 GiB", z(zstdWindow(good, 21)), nil, "window", "")
	blob("zstd-window-later", "a second zstd frame with a larger window than the first", z(append(zst(good[:700]), zstdWindow(good[700:], 15)...)), nil, "window", "")
	blob("zstd-single-segment", "a zstd frame that asks for its size of 1 TiB in memory", z(zstdSegment(good, 1<<40)), nil, "window", "")
	blob("zstd-checksum", "a zstd stream with a damaged block", z(flip(zst(good), 30)), nil, "", "")
	c.list[len(c.list)-1].Want = Refused
	blob("zstd-dictionary", "a zstd stream that needs a dictionary", z(zstdDictionary(good)), nil, "dictionary", "")
	return c.list
}

func slices512(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x55
	return b
}

// mustWrite is for writers into memory, which never fail.
func mustWrite(err error) {
	if err != nil {
		panic(fmt.Sprintf("write to memory: %v", err))
	}
}
