package program_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/seccomp/program"
)

// denying is a filter that answers one call of this machine so, and allows the rest.
func denying(number, answer uint32) program.Program {
	return program.Program{Code: []program.Instruction{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: number},
		{Code: unix.BPF_RET | unix.BPF_K, K: answer},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}}
}

func TestFilesAreReadBack(t *testing.T) {
	want := denying(3, unix.SECCOMP_RET_KILL_PROCESS)
	want.Flags = unix.SECCOMP_FILTER_FLAG_LOG
	got, err := program.Parse(want.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-written +read):\n" + diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(denying(1, 2).Bytes())
	f.Add([]byte("rkf1\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := program.Parse(b)
		if err != nil {
			return
		}
		if string(p.Bytes()) != string(b) {
			t.Errorf("%q is written as %q", b, p.Bytes())
		}
		if len(p.Code) == 0 || len(p.Code) > program.MaxInstructions {
			t.Errorf("%d instructions", len(p.Code))
		}
	})
}

// The tests below run themselves as children, which load a filter and execute a
// program.
const envChild = "RAKET_TEST_FILTER"

func TestMain(m *testing.M) {
	var number, answer, uid uint32
	if n, _ := fmt.Sscanf(os.Getenv(envChild), "%d %d %d", &number, &answer, &uid); n == 3 {
		runtime.LockOSThread()
		if uid != 0 {
			if _, _, e := syscall.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid)); e != 0 {
				fmt.Println("become another user:", e)
				os.Exit(1)
			}
		}
		p := denying(number, answer)
		if number == 0 && answer == 0 {
			p.Code[1].Jt = 9 // out of the program
		}
		err := p.Exec("/bin/sh", append([]string{"sh", "-c"}, os.Args[1:]...), []string{"PATH=/usr/bin:/bin"})
		var load *program.LoadError
		fmt.Println("exec:", errors.As(err, &load), err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestTheKernelTakesThem(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("a user who is not root cannot become one who is not root")
	}
	const eperm = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	for _, tc := range []struct {
		name                string
		number, answer, uid uint32
		script              string
		want                string
	}{
		{"a call that is denied", unix.SYS_UNAME, eperm, 0, "uname >/dev/null 2>&1; echo $?; awk '/^NoNewPrivs/ {print $2}' /proc/self/status", "1\n0"},
		{"for another user, who gains no privileges by it", 1000, eperm, 65534, "awk '/^NoNewPrivs|^Seccomp:/ {print $2}' /proc/self/status", "1\n2"},
		{"a call that kills", unix.SYS_UNAME, unix.SECCOMP_RET_KILL_PROCESS, 0, "uname 2>/dev/null; echo $?", "159"},
		{"the limit of open files is the caller's", 1000, eperm, 0, "ulimit -n", "77"},
		{"a program that is none", 0, 0, 0, "echo executed", "exec: true load the system call filter: invalid argument"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", `ulimit -S -n 77; exec "$0" "$@"`, os.Args[0], tc.script)
			cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %d", envChild, tc.number, tc.answer, tc.uid))
			out, _ := cmd.CombinedOutput()
			if got := strings.TrimSpace(string(out)); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
