package seccomp

import (
	"fmt"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxErrno is the kernel's MAX_ERRNO: a larger one is taken for it.
const maxErrno = 4095

// actionValue returns what a filter answers for an action (seccomp(2), "Filter
// return value"). ret is the error number, EPERM where there is none.
func actionValue(a specs.LinuxSeccompAction, ret *uint) (uint32, error) {
	if ret != nil && a != specs.ActErrno && a != specs.ActTrace {
		return 0, fmt.Errorf("errnoRet: %s has no error number", a)
	}
	data := uint32(unix.EPERM)
	if ret != nil {
		if *ret > maxErrno {
			return 0, fmt.Errorf("errnoRet: %d is above %d", *ret, maxErrno)
		}
		data = uint32(*ret)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActNotify:
		return 0, fmt.Errorf("action: %s is not supported: nobody listens", a)
	}
	return 0, fmt.Errorf("action: %q is none", a)
}

const (
	retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	// retOther answers calls of an ABI that the filter does not have.
	retOther = unix.SECCOMP_RET_KILL_PROCESS
)

// denies reports whether an answer keeps a call from being made.
func denies(ret uint32) bool {
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE:
		return false
	}
	return true
}

// flagBits are the flags of seccomp(2) that a filter is loaded with.
func flagBits(flags []specs.LinuxSeccompFlag) (uint32, error) {
	var bits uint32
	for _, f := range flags {
		switch f {
		case "SECCOMP_FILTER_FLAG_TSYNC": // for threads of a program that goes on
		case specs.LinuxSeccompFlagLog:
			bits |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			bits |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		default:
			return 0, fmt.Errorf("flags: %q is not supported", f)
		}
	}
	return bits, nil
}
