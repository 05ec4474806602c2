package main

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setGroups sets the supplementary groups of this thread; first is the address of
// gids' memory, which may hold none.
func setGroups(gids []uint32, first *uint32) error {
	_, _, e := syscall.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(gids)), uintptr(unsafe.Pointer(first)), 0)
	runtime.KeepAlive(gids)
	if e != 0 {
		return e
	}
	return nil
}
