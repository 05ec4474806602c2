package appspec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// File is an open file of an app's root.
type File interface {
	io.ReaderAt
	io.Closer
}

// maxInterpreters is how many interpreters the kernel goes through, each a script
// that is executed by the next (exec_binprm).
const maxInterpreters = 5

// NotRunnableError says that an executable of an app is there, but that the
// kernel cannot execute it. A launcher exits with status 203 for it.
type NotRunnableError struct {
	Exec string // absolute, in the app's root
	// Interpreter is the file that it needs and that is not there, or not
	// executable; empty if Exec itself has no format of a program's.
	Interpreter string
}

func (e *NotRunnableError) Error() string {
	if e.Interpreter == "" {
		return fmt.Sprintf("exec %q is neither a program nor a script that begins with #!", e.Exec)
	}
	return fmt.Sprintf("exec %q needs the interpreter %q, which is not found in image, or not executable", e.Exec, e.Interpreter)
}

// WorkDirError says that an app cannot have the working directory that was asked
// for. A launcher exits with status 226 for it.
type WorkDirError struct {
	Dir string
	Err error // fs.ErrNotExist, or why else
}

func (e *WorkDirError) Error() string {
	if errors.Is(e.Err, fs.ErrNotExist) {
		return fmt.Sprintf("working directory %q not found in image", e.Dir)
	}
	return fmt.Sprintf("working directory %q: %v", e.Dir, e.Err)
}

func (e *WorkDirError) Unwrap() error { return e.Err }

// checkRunnable holds an executable file to what the kernel needs to execute it.
// What it cannot judge it leaves to the kernel.
func (r Root) checkRunnable(file, cwd string) error {
	if r.Open == nil {
		return nil
	}
	for program, n := file, 0; n <= maxInterpreters; n++ {
		f, err := r.Open(program)
		if err != nil {
			return err
		}
		next, known, err := interpreter(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("exec %q: %w", program, err)
		}
		switch {
		case !known && r.OtherFormats != nil && r.OtherFormats():
			return nil
		case !known:
			return &NotRunnableError{Exec: program}
		case next == "":
			return nil
		}
		next = cleanJoin(cwd, next)
		if !r.Executable(next) {
			return &NotRunnableError{Exec: program, Interpreter: next}
		}
		program = next
	}
	return nil
}

// checkWorkDir holds the working directory to being there, if somebody asked for
// it: an image's is made.
func (a *App) checkWorkDir(r Root) error {
	cwd := a.Spec.Process.Cwd
	if r.Directory == nil {
		return nil
	}
	err := r.Directory(cwd)
	if err == nil || errors.Is(err, fs.ErrNotExist) && !a.workDirSaid {
		return nil
	}
	return &WorkDirError{cwd, err}
}

// interpreter reads which program the kernel executes in place of a file or to
// load it, empty for none, and whether the file has a format that every Linux
// executes: ELF's, or that of scripts.
func interpreter(f io.ReaderAt) (name string, known bool, err error) {
	head := make([]byte, 256) // what the kernel reads (BINPRM_BUF_SIZE)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", false, err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte("#!")):
		line, _, _ := strings.Cut(string(head[2:]), "\n")
		name, _, _ = strings.Cut(strings.TrimLeft(line, " \t"), " ")
		name, _, _ = strings.Cut(name, "\t")
		return strings.TrimRight(name, "\x00"), name != "", nil
	case bytes.HasPrefix(head, []byte(elfMagic)):
		name, err = loader(f, head)
		return name, true, err
	}
	return "", false, nil
}

// What identifies an ELF file, and the program header that names its loader
// (elf(5)); debug/elf would have all that links this read much more than is needed.
const (
	elfMagic     = "\x7fELF"
	elfIdent     = 16 // bytes
	elfClassAt   = 4
	elfDataAt    = 5
	elfClass32   = 1
	elfClass64   = 2
	elfBigEndian = 2
	elfInterp    = 3
)

// elfLayout is where the fields are that tell of an ELF file's loader: those of the
// file's header, and those of a program header.
type elfLayout struct {
	phoff, phentsize, phnum int
	offset, filesz          int
	word                    int // size of phoff, offset and filesz
	entry                   int // size of a program header
}

var elfLayouts = map[byte]elfLayout{
	elfClass32: {phoff: 28, phentsize: 42, phnum: 44, offset: 4, filesz: 16, word: 4, entry: 32},
	elfClass64: {phoff: 32, phentsize: 54, phnum: 56, offset: 8, filesz: 32, word: 8, entry: 56},
}

// loader is the program that an ELF file names to load it (PT_INTERP). A file that
// is broken has none: that is for the kernel to say.
func loader(f io.ReaderAt, head []byte) (string, error) {
	if len(head) < elfIdent {
		return "", nil
	}
	l, ok := elfLayouts[head[elfClassAt]]
	if !ok || len(head) < l.phnum+2 {
		return "", nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[elfDataAt] == elfBigEndian {
		order = binary.BigEndian
	}
	word := func(b []byte) int64 {
		if l.word == 4 {
			return int64(order.Uint32(b))
		}
		return int64(order.Uint64(b))
	}
	if int(order.Uint16(head[l.phentsize:])) != l.entry {
		return "", nil
	}
	headers := make([]byte, l.entry*int(order.Uint16(head[l.phnum:])))
	if err := readWhole(f, headers, word(head[l.phoff:])); err != nil {
		return "", ignoreEnd(err)
	}
	for ; len(headers) > 0; headers = headers[l.entry:] {
		if order.Uint32(headers) != elfInterp {
			continue
		}
		size := word(headers[l.filesz:])
		if size < 2 || size > unix.PathMax {
			return "", nil
		}
		name := make([]byte, size)
		if err := readWhole(f, name, word(headers[l.offset:])); err != nil {
			return "", ignoreEnd(err)
		}
		text, _, _ := strings.Cut(string(name), "\x00")
		return text, nil
	}
	return "", nil
}

// errOutside is a place that no file has.
var errOutside = errors.New("outside of the file")

func readWhole(f io.ReaderAt, b []byte, at int64) error {
	if at < 0 {
		return errOutside
	}
	_, err := f.ReadAt(b, at)
	return err
}

// ignoreEnd leaves of an error what is not the file's content's fault.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, errOutside) {
		return nil
	}
	return err
}
