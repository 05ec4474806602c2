package program

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// View is a program in the memory into which its file was read, for programs that
// run without Go's runtime.
type View struct {
	flags uint32
	prog  unix.SockFprog
}

// ViewOf looks at the first n bytes of file, and reports whether they are a
// program's. That it is one is for the kernel to check. The file has to stay as
// it is while the view is used.
func ViewOf(file []uint64, n int) (View, bool) {
	if len(file) == 0 || n > 8*len(file) {
		return View{}, false
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(&file[0])), n)
	if !isProgram(b) {
		return View{}, false
	}
	v := View{flags: read32(b[len(magic):])}
	for i := headerBytes; i < n; i += 8 {
		// In place, and nothing where the machine is little endian as the file is.
		at := (*Instruction)(unsafe.Pointer(&b[i]))
		*at = instruction(b[i:])
	}
	v.prog = unix.SockFprog{Len: uint16(n/8 - 1), Filter: (*Instruction)(unsafe.Pointer(&b[headerBytes]))}
	return v, true
}

// Load puts the filter on the calling thread, which has CAP_SYS_ADMIN, or else
// loses the right to gain privileges by execve(2); 0 is no error.
func (v *View) Load() syscall.Errno {
	errno := load(v.flags, &v.prog)
	if errno != syscall.EACCES {
		return errno
	}
	if _, _, no := syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); no != 0 {
		return errno
	}
	return load(v.flags, &v.prog)
}
