package podfilter

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// x32Bit marks system calls of the x32 ABI.
const x32Bit = 0x40000000

// Available reports whether there is a filter for a pod with these capabilities
// beside nspawn's default ones.
func Available(capabilities []string) bool {
	for _, c := range capabilities {
		switch c {
		case "CAP_SYS_TIME", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_IPC_LOCK", "CAP_SYS_PACCT", "CAP_SYSLOG", "CAP_AUDIT_READ":
			return false // nspawn opens system calls for these
		}
	}
	return true
}

// program returns the filter.
func program() []unix.SockFilter {
	native := append(refuseAudit(unix.SYS_SOCKET), branch(ifGe, x32Bit, 0, 1), stmt(answer, uint32(enosys)))
	native = append(native, search(x8664Calls)...)
	p := []unix.SockFilter{
		stmt(load, offArch),
		branch(ifEq, unix.AUDIT_ARCH_X86_64, 1, 0),
		stmt(jump, uint32(len(native))),
	}
	p = append(p, native...)
	p = append(p, branch(ifEq, unix.AUDIT_ARCH_I386, 1, 0), stmt(answer, uint32(eperm)))
	const i386Socket = 359
	p = append(p, refuseAudit(i386Socket)...)
	return append(p, search(i386Calls)...)
}

// Install puts the filter on the calling thread, for what it executes next. The
// thread must be locked to its goroutine and have CAP_SYS_ADMIN.
func Install() error {
	// The filter keeps nspawn from giving the pod a keyring of its own.
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil && err != unix.ENOSYS && err != unix.EPERM && err != unix.EACCES {
		return fmt.Errorf("leave the session keyring: %w", err)
	}
	p := program()
	prog := unix.SockFprog{Len: uint16(len(p)), Filter: &p[0]}
	_, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(p)
	if e != 0 {
		return fmt.Errorf("install the system call filter: %w", e)
	}
	return nil
}
