package layer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// dirLog remembers the directories that a layer describes, for the end, when
// no later entry disturbs their times any more. It takes a fixed amount of
// memory however many they are: the rest is in a file without a name.
type dirLog struct {
	dst  string
	file *os.File
	w    *bufio.Writer
	mem  []dirRecord
	// memBytes is about what mem takes.
	memBytes int
	n        int64
	// gone has when a directory was removed again.
	gone map[string]int64
}

// dirRecord is a directory as an entry describes it.
type dirRecord struct {
	Name string
	Meta dirMeta
}

// dirMeta is what is set on a directory at the end.
type dirMeta struct {
	mode     uint32
	uid, gid int
	mtime    unix.Timespec
	xattrs   map[string]string
	// again says that an earlier entry described the directory too.
	again bool
}

const (
	// dirLogBytes is what is kept in memory: some 10,000 directories.
	dirLogBytes = 1 << 20
	// maxGone bounds how often a layer may replace a directory by something
	// else. Tools that make layers never do.
	maxGone = 1024
)

func (l *dirLog) add(name string, meta dirMeta) error {
	l.n++
	if l.file == nil {
		l.mem = append(l.mem, dirRecord{name, meta})
		l.memBytes += len(name) + 112
		for key, value := range meta.xattrs {
			l.memBytes += len(key) + len(value) + 64
		}
		if l.memBytes < dirLogBytes {
			return nil
		}
		return l.spill()
	}
	return l.write(dirRecord{name, meta})
}

// spill moves what is in memory to a file.
func (l *dirLog) spill() error {
	fd, err := unix.Open(l.dst, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err == nil {
		l.file = os.NewFile(uintptr(fd), "list of directories")
	} else { // not every file system has files without names
		if l.file, err = os.CreateTemp("", "raket-layer-"); err == nil {
			err = os.Remove(l.file.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("keep list of directories: %w", err)
	}
	l.w = bufio.NewWriterSize(l.file, 64<<10)
	for _, r := range l.mem {
		if err := l.write(r); err != nil {
			return err
		}
	}
	l.mem = nil
	return nil
}

func (l *dirLog) write(r dirRecord) error {
	m := r.Meta
	again := uint64(0)
	if m.again {
		again = 1
	}
	b := appendString(nil, r.Name)
	for _, v := range []uint64{uint64(m.mode), uint64(m.uid), uint64(m.gid), uint64(m.mtime.Sec), uint64(m.mtime.Nsec), again, uint64(len(m.xattrs))} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	for key, value := range m.xattrs {
		b = appendString(appendString(b, key), value)
	}
	if _, err := l.w.Write(b); err != nil {
		return fmt.Errorf("keep list of directories: %w", err)
	}
	return nil
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// readRecord reads what write wrote.
func readRecord(r *bufio.Reader) (dirRecord, error) {
	var err error
	number := func() (v uint64) {
		var raw [8]byte
		if err == nil {
			_, err = io.ReadFull(r, raw[:])
		}
		return binary.LittleEndian.Uint64(raw[:])
	}
	text := func() string {
		var n uint64
		if err == nil {
			n, err = binary.ReadUvarint(r)
		}
		if err != nil {
			return ""
		}
		raw := make([]byte, n)
		_, err = io.ReadFull(r, raw)
		return string(raw)
	}
	rec := dirRecord{Name: text()}
	m := &rec.Meta
	m.mode, m.uid, m.gid = uint32(number()), int(number()), int(number())
	m.mtime = unix.Timespec{Sec: int64(number()), Nsec: int64(number())}
	m.again = number() != 0
	for n := number(); n > 0 && err == nil; n-- {
		if m.xattrs == nil {
			m.xattrs = map[string]string{}
		}
		key := text()
		m.xattrs[key] = text()
	}
	return rec, err
}

// remove says that the directory, and all below it, are gone.
func (l *dirLog) remove(name string) error {
	if l.n == 0 {
		return nil
	}
	if l.gone == nil {
		l.gone = map[string]int64{}
	}
	if l.gone[name] = l.n; len(l.gone) > maxGone {
		return errors.New("the layer replaces too many directories")
	}
	return nil
}

// isGone tells of the nth directory described, from 1.
func (l *dirLog) isGone(name string, n int64) bool {
	for len(l.gone) > 0 && name != "" {
		if l.gone[name] >= n {
			return true
		}
		name, _ = split(name)
	}
	return false
}

// each calls do for the directories in the order in which they were described,
// but for those that are gone.
func (l *dirLog) each(do func(string, dirMeta) error) error {
	n := int64(0)
	visit := func(r dirRecord) error {
		n++
		if l.isGone(r.Name, n) {
			return nil
		}
		return do(r.Name, r.Meta)
	}
	for _, r := range l.mem {
		if err := visit(r); err != nil {
			return err
		}
	}
	if l.file == nil {
		return nil
	}
	err := l.w.Flush()
	if err == nil {
		_, err = l.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("read list of directories: %w", err)
	}
	in := bufio.NewReaderSize(l.file, 64<<10)
	for n < l.n {
		r, err := readRecord(in)
		if err != nil {
			return fmt.Errorf("read list of directories: %w", err)
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// close forgets all.
func (l *dirLog) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
