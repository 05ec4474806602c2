package images

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path"
	"time"
)

// epoch is the modification time of everything made here, so that digests repeat.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Entry is one member of a layer's tar file.
type Entry struct {
	tar.Header
	Body []byte
	err  error
}

// File is a regular file. Paths of entries are relative to the root: "etc/motd".
func File(name, content string, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, Body: []byte(content)}
}

// FileFrom is a regular file with the content of a file of this machine.
func FileFrom(name, source string, mode int64) Entry {
	b, err := os.ReadFile(source)
	if err != nil {
		err = fmt.Errorf("read %s for an image: %w", name, err)
	}
	return Entry{Header: tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode}, Body: b, err: err}
}

// Dir is a directory.
func Dir(name string, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: mode}}
}

// Symlink is a symbolic link with the given target.
func Symlink(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}}
}

// Link is a hard link to another entry.
func Link(name, target string) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644}}
}

// Fifo is a named pipe.
func Fifo(name string, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeFifo, Name: name, Mode: mode}}
}

// CharDevice is a character device.
func CharDevice(name string, major, minor, mode int64) Entry {
	return Entry{Header: tar.Header{Typeflag: tar.TypeChar, Name: name, Devmajor: major, Devminor: minor, Mode: mode}}
}

// Whiteout removes a file or directory of the layers below (OCI image-spec, layer.md).
func Whiteout(name string) Entry {
	return File(path.Join(path.Dir(name), ".wh."+path.Base(name)), "", 0o644)
}

// Opaque hides everything the layers below have in a directory.
func Opaque(dir string) Entry { return File(path.Join(dir, ".wh..wh..opq"), "", 0o644) }

// Owned is e with another owner.
func (e Entry) Owned(uid, gid int) Entry {
	e.Uid, e.Gid = uid, gid
	return e
}

// WithXattr is e with an extended attribute.
func (e Entry) WithXattr(name, value string) Entry {
	records := map[string]string{"SCHILY.xattr." + name: value}
	for k, v := range e.PAXRecords {
		records[k] = v
	}
	e.PAXRecords = records
	return e
}

// writeTar writes the entries in their order. It checks nothing: hostile names are wanted too.
func writeTar(w io.Writer, entries []Entry) error {
	tw := tar.NewWriter(w)
	for _, e := range entries {
		if e.err != nil {
			return e.err
		}
		h := e.Header
		h.Size = int64(len(e.Body))
		if h.ModTime.IsZero() {
			h.ModTime = epoch
		}
		if err := tw.WriteHeader(&h); err != nil {
			return fmt.Errorf("write entry %q: %w", e.Name, err)
		}
		if _, err := tw.Write(e.Body); err != nil {
			return fmt.Errorf("write entry %q: %w", e.Name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("write a layer: %w", err)
	}
	return nil
}

// Tar is the uncompressed tar file of the entries.
func Tar(entries ...Entry) ([]byte, error) {
	var b bytes.Buffer
	err := writeTar(&b, entries)
	return b.Bytes(), err
}
