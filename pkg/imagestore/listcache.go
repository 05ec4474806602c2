package imagestore

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/image"
)

// The disposable index file holds all records in one: JSON would take most of
// the time that listing a thousand images may take. It is a magic string, then
// strings and numbers (a varint length and bytes, or a varint), then the CRC-32
// of all before it. It is good for the index.json whose digest it has, and
// made anew when anything about it is not as expected.
const listMagic = "raket list 3\n"

type listWriter struct{ b []byte }

func (w *listWriter) num(n int64) { w.b = binary.AppendVarint(w.b, n) }

func (w *listWriter) str(s string) {
	w.num(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *listWriter) flag(b bool) {
	if b {
		w.num(1)
	} else {
		w.num(0)
	}
}

// time is in nanoseconds; the zero time is 0.
func (w *listWriter) time(t time.Time) {
	if t.IsZero() {
		w.num(0)
		return
	}
	w.num(t.UnixNano())
}

// encodeList is the inverse of decodeList.
func encodeList(index string, images []image.Image) []byte {
	w := &listWriter{b: []byte(listMagic)}
	w.str(index)
	w.num(int64(len(images)))
	for _, i := range images {
		for _, s := range []string{
			i.ID.String(), string(i.Kind), i.Config.String(), i.AppcID, i.Origin, i.OS, i.Arch,
		} {
			w.str(s)
		}
		w.num(i.SizeBytes)
		w.time(i.Imported)
		w.num(int64(len(i.Names)))
		for _, n := range i.Names {
			w.str(n)
		}
		w.num(int64(len(i.Layers)))
		for _, l := range i.Layers {
			w.str(l.Digest.String())
			w.str(l.DiffID.String())
			w.str(l.MediaType)
			w.num(l.SizeBytes)
		}
		w.num(int64(len(i.Dependencies)))
		for _, d := range i.Dependencies {
			w.str(d.String())
		}
		w.flag(i.Whitelisted)
		w.num(int64(len(i.Evidence)))
		for _, e := range i.Evidence {
			for _, s := range []string{string(e.Kind), e.Key, e.Signer, e.Identity, e.Digest.String()} {
				w.str(s)
			}
			w.time(e.Signed)
		}
	}
	return binary.LittleEndian.AppendUint32(w.b, crc32.ChecksumIEEE(w.b))
}

// listReader reads until something is wrong, and nothing afterwards.
type listReader struct {
	s   string
	bad bool
}

func (r *listReader) num() int64 {
	var n uint64
	for shift := uint(0); shift < 64 && len(r.s) > 0; shift += 7 {
		c := r.s[0]
		r.s = r.s[1:]
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(n>>1) ^ -int64(n&1)
		}
	}
	r.bad, r.s = true, ""
	return 0
}

func (r *listReader) str() string {
	n := r.num()
	if n < 0 || n > int64(len(r.s)) {
		r.bad, r.s = true, ""
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}

func (r *listReader) flag() bool { return r.num() != 0 }

func (r *listReader) time() time.Time {
	n := r.num()
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// count reads a number of things that take a byte each at least.
func (r *listReader) count() int {
	n := r.num()
	if n < 0 || n > int64(len(r.s)) {
		r.bad, r.s = true, ""
		return 0
	}
	return int(n)
}

// decodeList reports false for a list of another index.json, or a damaged one.
func decodeList(raw []byte, index string) ([]image.Image, bool) {
	body := len(raw) - crc32.Size
	if body < len(listMagic) || string(raw[:len(listMagic)]) != listMagic ||
		crc32.ChecksumIEEE(raw[:body]) != binary.LittleEndian.Uint32(raw[body:]) {
		return nil, false
	}
	r := &listReader{s: string(raw[len(listMagic):body])}
	if r.str() != index {
		return nil, false
	}
	images := make([]image.Image, r.count())
	for n := range images {
		if r.bad {
			return nil, false
		}
		i := &images[n]
		i.ID, i.Kind, i.Config = digest.Digest(r.str()), image.Kind(r.str()), digest.Digest(r.str())
		i.AppcID, i.Origin, i.OS, i.Arch = r.str(), r.str(), r.str(), r.str()
		i.SizeBytes = r.num()
		i.Imported = r.time()
		i.Names = make([]string, r.count())
		for k := range i.Names {
			i.Names[k] = r.str()
		}
		i.Layers = make([]image.Layer, r.count())
		for k := range i.Layers {
			i.Layers[k] = image.Layer{
				Digest: digest.Digest(r.str()), DiffID: digest.Digest(r.str()), MediaType: r.str(), SizeBytes: r.num(),
			}
		}
		for range r.count() {
			i.Dependencies = append(i.Dependencies, digest.Digest(r.str()))
		}
		i.Whitelisted = r.flag()
		for range r.count() {
			i.Evidence = append(i.Evidence, image.Evidence{
				Kind: image.EvidenceKind(r.str()), Key: r.str(), Signer: r.str(), Identity: r.str(),
				Digest: digest.Digest(r.str()), Signed: r.time(),
			})
		}
	}
	return images, !r.bad && r.s == ""
}
