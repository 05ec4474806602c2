package program

import (
	"errors"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxInstructions is the kernel's limit, BPF_MAXINSNS.
const MaxInstructions = 4096

// MaxBytes is the size of the largest file.
const MaxBytes = headerBytes + MaxInstructions*8

// Instruction is one of classic BPF.
type Instruction = unix.SockFilter

// Program is a filter and how to load it.
type Program struct {
	Flags uint32 // of seccomp(2)
	Code  []Instruction
}

// A file is the magic, the flags (4 bytes, little endian), and the instructions
// as the kernel's struct sock_filter, little endian too.
const (
	magic       = "rkf1"
	headerBytes = 8
)

// Bytes returns the file of the program.
func (p Program) Bytes() []byte {
	b := append(make([]byte, 0, headerBytes+8*len(p.Code)), magic...)
	b = append32(b, p.Flags)
	for _, i := range p.Code {
		b = append32(append(b, byte(i.Code), byte(i.Code>>8), i.Jt, i.Jf), i.K)
	}
	return b
}

// Parse reads a file. That the program is one is for the kernel to check.
func Parse(b []byte) (Program, error) {
	if !isProgram(b) {
		return Program{}, errors.New("not a system call filter")
	}
	p := Program{Flags: read32(b[len(magic):])}
	p.Code = make([]Instruction, 0, len(b)/8-1)
	for b = b[headerBytes:]; len(b) > 0; b = b[8:] {
		p.Code = append(p.Code, instruction(b))
	}
	return p, nil
}

func isProgram(b []byte) bool {
	return len(b) > headerBytes && len(b) <= MaxBytes && len(b)%8 == 0 && string(b[:len(magic)]) == magic
}

func instruction(b []byte) Instruction {
	return Instruction{Code: uint16(b[0]) | uint16(b[1])<<8, Jt: b[2], Jf: b[3], K: read32(b[4:])}
}

// The package encoding/binary would bring reflection along.

func append32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func read32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

// Exec puts the filter on the calling thread and executes a program, so that the
// filter has to allow nothing but execve(2) of what comes before the program's own
// calls. The thread has CAP_SYS_ADMIN, or else loses the right to gain privileges
// by execve(2), as with systemd's SystemCallFilter=.
//
// It returns only with an error: a *LoadError if the filter could not be
// loaded; else the filter stays on the thread.
func (p Program) Exec(argv0 string, argv, env []string) error {
	if len(p.Code) == 0 {
		return &LoadError{syscall.EINVAL}
	}
	path, err := syscall.BytePtrFromString(argv0)
	if err != nil {
		return err
	}
	argvp, err := syscall.SlicePtrFromStrings(argv)
	if err != nil {
		return err
	}
	envp, err := syscall.SlicePtrFromStrings(env)
	if err != nil {
		return err
	}
	// This executes nothing, but takes back what Go's runtime does to the limit of
	// open files, as every exec by the syscall package does first.
	if err := syscall.Exec("", nil, nil); err != syscall.ENOENT {
		return err
	}
	v := View{flags: p.Flags, prog: unix.SockFprog{Len: uint16(len(p.Code)), Filter: &p.Code[0]}}
	if e := v.Load(); e != 0 {
		return &LoadError{e}
	}
	_, _, e := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(path)), uintptr(unsafe.Pointer(&argvp[0])), uintptr(unsafe.Pointer(&envp[0])))
	runtime.KeepAlive(p.Code)
	return e
}

func load(flags uint32, prog *unix.SockFprog) syscall.Errno {
	_, _, e := syscall.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(prog)))
	return e
}

// LoadError says that the kernel did not take the filter.
type LoadError struct{ Err error }

func (e *LoadError) Error() string { return "load the system call filter: " + e.Err.Error() }
func (e *LoadError) Unwrap() error { return e.Err }
