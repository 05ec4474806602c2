package seccomp

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// answerName is an answer in words.
func answerName(ret uint32) string {
	switch ret & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW:
		return "allowed"
	case unix.SECCOMP_RET_ERRNO:
		return unix.ErrnoName(unix.Errno(ret & unix.SECCOMP_RET_DATA))
	case unix.SECCOMP_RET_KILL_PROCESS:
		return "SIGSYS"
	}
	return fmt.Sprintf("%#x", ret)
}

// denied lists what a filter denies of the calls there are, with an asterisk where
// arguments matter: the answer is then the one for none.
func denied(t *testing.T, f *specs.LinuxSeccomp, goarch string) string {
	t.Helper()
	p, err := Compile(f, goarch)
	if err != nil {
		t.Fatal(err)
	}
	machine, _ := abis(goarch)
	var b strings.Builder
	for _, a := range machine {
		fmt.Fprintf(&b, "%s\n", a.name)
		for _, c := range calls {
			nr := c.numbers[a.column]
			if nr < 0 {
				continue
			}
			mark := ""
			if conditional(f, uint32(nr), machine, a.audit) {
				mark = "*"
			}
			got, _ := execute(t, p.Code, a.audit, uint32(nr), [6]uint64{})
			if name := answerName(got); name != "allowed" || mark != "" {
				fmt.Fprintf(&b, "  %s%s %s\n", c.name, mark, name)
			}
		}
	}
	return b.String()
}

func TestWhatTheDefaultFilterDenies(t *testing.T) {
	// Docker's profile is made for the machine that the test runs on.
	f, err := Default(defaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	got := denied(t, f, runtime.GOARCH)
	file := "testdata/denied-" + runtime.GOARCH + ".txt"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there yet; -update writes it", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), -update rewrites it:\n%s", file, diff)
	}
}

// verdicts is what a filter answers for some calls without arguments.
func verdicts(t *testing.T, f *specs.LinuxSeccomp, names ...string) string {
	t.Helper()
	p, err := Compile(f, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, name := range names {
		n, _ := lookup(name)
		got, _ := execute(t, p.Code, unix.AUDIT_ARCH_X86_64, uint32(n[0]), [6]uint64{})
		list = append(list, name+" "+answerName(got))
	}
	return strings.Join(list, ", ")
}

func TestSets(t *testing.T) {
	calls := []string{"execve", "read", "mount", "keyctl", "reboot", "clone3", "personality"}
	for _, tc := range []struct{ set, want string }{
		{"read", "execve allowed, read allowed, mount SIGSYS, keyctl SIGSYS, reboot SIGSYS, clone3 SIGSYS, personality SIGSYS"},
		{"mode=retain,errno=ENOSYS,@systemd/default-whitelist", "execve allowed, read ENOSYS, mount ENOSYS, keyctl ENOSYS, reboot ENOSYS, clone3 ENOSYS, personality ENOSYS"},
		{"@systemd/mount,errno=EPERM,mode=retain", "execve allowed, read EPERM, mount allowed, keyctl EPERM, reboot EPERM, clone3 EPERM, personality EPERM"},
		{"mode=retain,@rkt/default-whitelist,mount", "execve allowed, read allowed, mount allowed, keyctl SIGSYS, reboot SIGSYS, clone3 ENOSYS, personality allowed"},
		{"mode=remove,reboot", "execve allowed, read allowed, mount allowed, keyctl allowed, reboot SIGSYS, clone3 allowed, personality allowed"},
		{"mode=remove,errno=EOPNOTSUPP,@systemd/keyring,@systemd/privileged", "execve allowed, read allowed, mount allowed, keyctl ENOTSUP, reboot ENOTSUP, clone3 allowed, personality allowed"},
		{"mode=remove,@docker/default-blacklist", "execve allowed, read allowed, mount SIGSYS, keyctl SIGSYS, reboot SIGSYS, clone3 allowed, personality allowed"},
		{"mode=remove,errno=EPERM,@docker/default-whitelist", "execve EPERM, read EPERM, mount allowed, keyctl allowed, reboot allowed, clone3 allowed, personality EPERM"},
		{"mode=retain,@appc.io/empty,errno=EPERM", "execve allowed, read EPERM, mount EPERM, keyctl EPERM, reboot EPERM, clone3 EPERM, personality EPERM"},
	} {
		t.Run(tc.set, func(t *testing.T) {
			s, err := ParseSet(tc.set)
			if err != nil {
				t.Fatal(err)
			}
			f, err := s.Filter()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, verdicts(t, f, calls...)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			// What is denied must be denied to 32-bit programs too.
			if !slices.Equal(f.Architectures, architectures(runtime.GOARCH)) {
				t.Errorf("architectures %v", f.Architectures)
			}
		})
	}
	all, err := Set{Retain: true, Names: []string{"read", "@appc.io/all"}}.Filter()
	if all != nil || err != nil {
		t.Errorf("@appc.io/all: %v, %v", all, err)
	}
	for names, want := range map[string]bool{"@appc.io/empty": true, "@appc.io/empty,read": false} {
		if got := (Set{Names: strings.Split(names, ",")}).IsEmptyRemoval(); got != want {
			t.Errorf("%s: %v", names, got)
		}
	}
}

func TestSetsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "no architecture has a system call",
		"mode=retain":                  "the set is empty",
		"mode=keep,read":               `mode "keep" is neither retain nor remove`,
		"mode=retain,mode=retain,read": "mode is given twice",
		"errno=,read":                  "errno is empty",
		"errno=EFOO,read":              `errno "EFOO": no such error`,
		"set=read":                     `"set=read": want mode=, errno= or names`,
		"raed":                         `no architecture has a system call "raed"`,
		"@rkt/default":                 `there is no set "@rkt/default"`,
		"@systemd/":                    `there is no set "@systemd/"`,
		"@systemd/nothing":             `there is no set "@systemd/nothing"`,
		"@":                            `there is no set "@"`,
		"mode=remove,@appc.io/all":     "nothing can run",
	} {
		if _, err := ParseSet(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

// Every group that systemd has, and every call in them, is known.
func TestGroupsOfSystemd(t *testing.T) {
	n := 0
	for line := range strings.Lines(systemdGroups) {
		if line[0] != '@' {
			continue
		}
		n++
		name, _, _ := strings.Cut(line, " ")
		f, err := Set{Names: []string{"@systemd/" + name[1:]}}.Filter()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := Compile(f, "arm64"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n < 25 {
		t.Errorf("%d groups", n)
	}
	list, err := systemdGroup("system-service")
	if err != nil || !slices.Contains(list, "accept4") || slices.Contains(list, "mount") {
		t.Errorf("@system-service: %v, %v", list, err)
	}
}

func FuzzParseSet(f *testing.F) {
	for _, s := range []string{"mode=remove,errno=EPERM,reboot", "@systemd/clock", "@rkt/default-whitelist,read", "mode=retain,@appc.io/all", ",,", "@systemd/a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSet(text)
		if err != nil {
			return
		}
		filter, err := s.Filter()
		if err != nil {
			t.Fatalf("%q was parsed: %v", text, err)
		}
		if filter == nil {
			return
		}
		if _, err := Compile(filter, "amd64"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
