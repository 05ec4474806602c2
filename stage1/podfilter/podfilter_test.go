//go:build amd64

package podfilter

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// decide executes the program as the kernel does.
func decide(t *testing.T, arch, nr uint32, args ...uint64) action {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data[offNumber:], nr)
	binary.LittleEndian.PutUint32(data[offArch:], arch)
	for i, a := range args {
		binary.LittleEndian.PutUint64(data[16+8*i:], a)
	}
	p := program()
	var acc uint32
	for pc := 0; pc < len(p); {
		i := p[pc]
		pc++
		switch i.Code {
		case load:
			acc = binary.LittleEndian.Uint32(data[i.K:])
		case jump:
			pc += int(i.K)
		case answer:
			return action(i.K)
		case ifEq, ifGe:
			if i.Code == ifEq && acc == i.K || i.Code == ifGe && acc >= i.K {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		default:
			t.Fatalf("instruction %d: code %#x", pc-1, i.Code)
		}
	}
	t.Fatal("the program ran off its end")
	return 0
}

func TestProgramDecidesEachCallAsItsTable(t *testing.T) {
	for _, abi := range []struct {
		name  string
		arch  uint32
		calls []segment
	}{{"x86-64", unix.AUDIT_ARCH_X86_64, x8664Calls}, {"i386", unix.AUDIT_ARCH_I386, i386Calls}} {
		t.Run(abi.name, func(t *testing.T) {
			for i, s := range abi.calls {
				last := s.first + 1000
				if i+1 < len(abi.calls) {
					last = abi.calls[i+1].first
				}
				for nr := s.first; nr < last; nr++ {
					if got := decide(t, abi.arch, nr); got != s.action {
						t.Fatalf("call %d: %#x, want %#x", nr, got, s.action)
					}
				}
			}
		})
	}
}

func TestWhatAPodIsDenied(t *testing.T) {
	// Names beside what they are denied with; all other known calls are allowed.
	calls := map[string]uint32{
		"syslog": unix.SYS_SYSLOG, "uselib": unix.SYS_USELIB, "ustat": unix.SYS_USTAT, "sysfs": unix.SYS_SYSFS,
		"mlock": unix.SYS_MLOCK, "munlock": unix.SYS_MUNLOCK, "mlockall": unix.SYS_MLOCKALL, "munlockall": unix.SYS_MUNLOCKALL,
		"modify_ldt": unix.SYS_MODIFY_LDT, "_sysctl": unix.SYS__SYSCTL, "adjtimex": unix.SYS_ADJTIMEX, "acct": unix.SYS_ACCT,
		"settimeofday": unix.SYS_SETTIMEOFDAY, "swapon": unix.SYS_SWAPON, "swapoff": unix.SYS_SWAPOFF, "iopl": unix.SYS_IOPL,
		"ioperm": unix.SYS_IOPERM, "init_module": unix.SYS_INIT_MODULE, "delete_module": unix.SYS_DELETE_MODULE,
		"quotactl": unix.SYS_QUOTACTL, "lookup_dcookie": unix.SYS_LOOKUP_DCOOKIE, "clock_settime": unix.SYS_CLOCK_SETTIME,
		"vserver": unix.SYS_VSERVER, "kexec_load": unix.SYS_KEXEC_LOAD, "add_key": unix.SYS_ADD_KEY,
		"request_key": unix.SYS_REQUEST_KEY, "keyctl": unix.SYS_KEYCTL, "perf_event_open": unix.SYS_PERF_EVENT_OPEN,
		"fanotify_init": unix.SYS_FANOTIFY_INIT, "fanotify_mark": unix.SYS_FANOTIFY_MARK,
		"open_by_handle_at": unix.SYS_OPEN_BY_HANDLE_AT, "clock_adjtime": unix.SYS_CLOCK_ADJTIME,
		"finit_module": unix.SYS_FINIT_MODULE, "kexec_file_load": unix.SYS_KEXEC_FILE_LOAD, "bpf": unix.SYS_BPF,
		"mlock2": unix.SYS_MLOCK2, "pkey_mprotect": unix.SYS_PKEY_MPROTECT, "pkey_alloc": unix.SYS_PKEY_ALLOC,
		"pkey_free": unix.SYS_PKEY_FREE, "pidfd_getfd": unix.SYS_PIDFD_GETFD, "quotactl_fd": unix.SYS_QUOTACTL_FD,
	}
	for name, nr := range calls {
		if got := decide(t, unix.AUDIT_ARCH_X86_64, nr); got != eperm {
			t.Errorf("%s (%d): %#x, want EPERM", name, nr, got)
		}
	}
	for name, nr := range map[string]uint32{
		"mount": unix.SYS_MOUNT, "unshare": unix.SYS_UNSHARE, "setns": unix.SYS_SETNS, "clone3": unix.SYS_CLONE3,
		"pivot_root": unix.SYS_PIVOT_ROOT, "seccomp": unix.SYS_SECCOMP, "ptrace": unix.SYS_PTRACE, "reboot": unix.SYS_REBOOT,
	} {
		if got := decide(t, unix.AUDIT_ARCH_X86_64, nr); got != allow {
			t.Errorf("%s (%d): %#x, want it allowed: the pod's systemd needs it", name, nr, got)
		}
	}
}

func TestOtherArchitecturesAndSocketsOfTheAuditAreClosed(t *testing.T) {
	var got []string
	for _, c := range []struct {
		name     string
		arch, nr uint32
		args     []uint64
	}{
		{"x32 read", unix.AUDIT_ARCH_X86_64, x32Bit, nil},
		{"arm64", unix.AUDIT_ARCH_AARCH64, 0, nil},
		{"audit socket", unix.AUDIT_ARCH_X86_64, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}},
		{"route socket", unix.AUDIT_ARCH_X86_64, unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}},
		{"inet socket", unix.AUDIT_ARCH_X86_64, unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.NETLINK_AUDIT}},
		{"i386 audit socket", unix.AUDIT_ARCH_I386, 359, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_AUDIT}},
	} {
		names := map[action]string{allow: "allow", eperm: "EPERM", enosys: "ENOSYS", noAudit: "EAFNOSUPPORT"}
		got = append(got, fmt.Sprintf("%s: %s", c.name, names[decide(t, c.arch, c.nr, c.args...)]))
	}
	want := `x32 read: ENOSYS
arm64: EPERM
audit socket: EAFNOSUPPORT
route socket: allow
inet socket: allow
i386 audit socket: EAFNOSUPPORT`
	if d := cmp.Diff(want, strings.Join(got, "\n")); d != "" {
		t.Error(d)
	}
}
