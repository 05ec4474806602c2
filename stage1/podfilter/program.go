//go:build amd64

package podfilter

import "golang.org/x/sys/unix"

// action is what a filter returns (seccomp(2)).
type action uint32

const (
	allow  action = unix.SECCOMP_RET_ALLOW
	eperm  action = unix.SECCOMP_RET_ERRNO | action(unix.EPERM)
	enosys action = unix.SECCOMP_RET_ERRNO | action(unix.ENOSYS)
	// noAudit is what a kernel without auditing says to who opens its socket.
	noAudit action = unix.SECCOMP_RET_ERRNO | action(unix.EAFNOSUPPORT)
)

// segment is a range of system calls that are treated alike.
type segment struct {
	first  uint32
	action action
}

// Offsets in struct seccomp_data, of a little-endian machine's lower halves.
const (
	offNumber = 0
	offArch   = 4
	offArg0   = 16
	offArg2   = 32
)

const (
	load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	ifEq   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	ifGe   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	jump   = unix.BPF_JMP | unix.BPF_JA
	answer = unix.BPF_RET | unix.BPF_K
)

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func branch(code uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: code, Jt: uint8(yes), Jf: uint8(no), K: k}
}

// search is a program that finds the action of the number in the accumulator.
// It is for at most 128 segments: branches reach 255 instructions.
func search(s []segment) []unix.SockFilter {
	if len(s) == 1 {
		return []unix.SockFilter{stmt(answer, uint32(s[0].action))}
	}
	mid := len(s) / 2
	below, above := search(s[:mid]), search(s[mid:])
	p := append([]unix.SockFilter{branch(ifGe, s[mid].first, len(below), 0)}, below...)
	return append(p, above...)
}

// refuseAudit refuses socket(AF_NETLINK, …, NETLINK_AUDIT), and otherwise leaves
// the system call's number in the accumulator.
func refuseAudit(socket uint32) []unix.SockFilter {
	return []unix.SockFilter{
		stmt(load, offNumber),
		branch(ifEq, socket, 0, 6),
		stmt(load, offArg0),
		branch(ifEq, unix.AF_NETLINK, 0, 3),
		stmt(load, offArg2),
		branch(ifEq, unix.NETLINK_AUDIT, 0, 1),
		stmt(answer, uint32(noAudit)),
		stmt(load, offNumber),
	}
}
