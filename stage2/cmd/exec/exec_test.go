package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// envRoot makes the test binary prepare a mount namespace, in which the root it
// names is a mount point, and become the program that envProgram names.
const (
	envRoot    = "RAKET_TEST_EXEC_ROOT"
	envProgram = "RAKET_TEST_EXEC_PROGRAM"
)

// programs are the program under test: as it is installed where there is an entry
// for the machine, without Go's runtime, and as it is elsewhere.
var programs struct {
	once sync.Once
	dir  string
	list []string
	err  error
}

func buildPrograms() {
	p := &programs
	if p.dir, p.err = os.MkdirTemp("", "raket-exec-"); p.err == nil {
		p.err = os.Chmod(p.dir, 0o755) // for users other than root
	}
	if p.err != nil {
		return
	}
	for name, flags := range map[string]string{"runtime": "-s", "bare": "-s -E main.entry"} {
		if _, err := os.Stat("entry_" + runtime.GOARCH + ".s"); name == "bare" && err != nil {
			continue
		}
		path := filepath.Join(p.dir, name)
		cmd := exec.Command("go", "build", "-ldflags", flags, "-o", path, ".")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			p.err = fmt.Errorf("build the program: %w\n%s", err, out)
			return
		}
		p.list = append(p.list, path)
	}
}

func TestMain(m *testing.M) {
	root, asExec := os.LookupEnv(envRoot)
	if !asExec {
		code := m.Run()
		_ = os.RemoveAll(programs.dir)
		os.Exit(code)
	}
	program := os.Getenv(envProgram)
	_, _ = os.Unsetenv(envRoot), os.Unsetenv(envProgram)
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil && root != "" {
		err = unix.Mount(root, root, "", unix.MS_BIND, "")
	}
	if err == nil {
		err = syscall.Exec(program, os.Args, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "test:", err)
	os.Exit(99)
}

// result is what a program said and how it ended.
type result struct {
	stdout, stderr string
	code           int
}

// execute runs the program under test.
func execute(t *testing.T, root string, args ...string) result {
	t.Helper()
	return executeAs(t, root, nil, args...)
}

// helperCapabilities are those that units give the program (stage1/unitgen).
var helperCapabilities = []uintptr{
	unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP, unix.CAP_SYS_CHROOT, unix.CAP_SYS_ADMIN, unix.CAP_MKNOD, unix.CAP_NET_BIND_SERVICE,
}

// executeAs is execute as another user, who has the helper's capabilities. All forms
// of the program have to do the same.
func executeAs(t *testing.T, root string, as *syscall.Credential, args ...string) result {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mount namespaces need root")
	}
	programs.once.Do(buildPrograms)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	var first result
	for i, program := range programs.list {
		got := executeProgram(t, program, root, as, args...)
		if i == 0 {
			first = got
		} else if got != first {
			t.Errorf("%s: %+v; %s: %+v", filepath.Base(programs.list[0]), first, filepath.Base(program), got)
		}
	}
	return first
}

func executeProgram(t *testing.T, program, root string, as *syscall.Credential, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Env = []string{envRoot + "=" + root, envProgram + "=" + program, "PATH=/bin"}
	// The PID namespace is a pod's: what the app sees of /proc is not the host's.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC}
	if as != nil {
		cmd.SysProcAttr.Credential, cmd.SysProcAttr.AmbientCaps = as, helperCapabilities
	}
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// busyboxRoot makes a root with busybox and what prepare is given to change.
func busyboxRoot(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed (Debian package busybox-static)")
	}
	root := t.TempDir()
	for _, d := range []string{"bin", "etc", "srv"} {
		if err := os.Mkdir(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The user of an app has to reach it, here and in the pod.
	for _, d := range []string{root, filepath.Dir(root)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(filepath.Join(root, "bin/busybox"), text, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// shell runs a script in the root.
func shell(t *testing.T, root, script string, options ...string) result {
	t.Helper()
	args := append(append([]string{"-R", root}, options...), "--", "/bin/busybox", "sh", "-c", script)
	return execute(t, root, args...)
}

func TestRootIsTheAppsAlone(t *testing.T) {
	root := busyboxRoot(t)
	odd := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(odd, []byte("A=x\ny\x00B=\x00"), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, script, want string
		options            []string
	}{
		{name: "the root is the app's", script: "busybox ls /", want: "bin\ndev\netc\nproc\nsrv\nsys\n"},
		{name: "nothing of the pod's is mounted", script: "busybox awk '{print $5}' /proc/self/mountinfo | busybox grep -Ev '^/($|dev|proc|sys)'; echo end", want: "end\n"},
		{name: "the shell is process 1", script: "busybox readlink /proc/self/exe; echo $$", want: "/bin/busybox\n1\n"},
		{name: "the working directory", options: []string{"-w", "/srv"}, script: "busybox pwd", want: "/srv\n"},
		{name: "a variable that no unit can hold", options: []string{"-e", odd}, script: `echo "$A${B-unset}"`, want: "x\ny\n"},
		{name: "a root that is writable", script: "echo x > /etc/f && busybox cat /etc/f", want: "x\n"},
		{name: "a root that is not", options: []string{"-r"}, script: "(echo x > /etc/g) 2>/dev/null || echo refused; echo y > /dev/shm/g && echo shm", want: "refused\nshm\n"},
		{name: "devices", script: "for d in null zero full random urandom tty; do busybox test -c /dev/$d || echo no $d; done; echo x > /dev/null; busybox test -d /dev/pts && echo pts", want: "pts\n"},
		{name: "kernel knobs cannot be turned", script: "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do (: >> $f) 2>/dev/null && echo $f; done; echo end", want: "end\n"},
		{name: "kernel knobs that are left open", options: []string{"-o"}, script: "(: >> /proc/sys/kernel/core_pattern) && busybox awk '$5 ~ \"^/proc/\" {print $5}' /proc/self/mountinfo; echo end", want: "end\n"},
		{name: "kernel memory and keys cannot be read", script: "for f in kcore keys timer_list sched_debug; do busybox test -e /proc/$f && busybox cat /proc/$f; done; echo end", want: "end\n"},
		{name: "capabilities are those of the mask", options: []string{"-b", "20"}, script: "busybox grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status", want: "CapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapBnd:\t0000000000000020\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := shell(t, root, "busybox() { /bin/busybox \"$@\"; }; "+tc.script, tc.options...)
			if got.code != 0 || got.stdout != tc.want {
				t.Errorf("exit status %d, said %q, want %q; complained %q", got.code, got.stdout, tc.want, got.stderr)
			}
		})
	}
}

// A file system of the kernel's that is mounted through a link of the image's
// could be found at a place where nothing of it is protected.
func TestLinksForKernelFileSystemsAreRefused(t *testing.T) {
	for _, tc := range []struct {
		name  string
		links map[string]string
	}{
		{name: "proc by way of a dev that is gone later", links: map[string]string{"proc": "dev/q", "dev/q": "/x"}},
		{name: "proc elsewhere in the root", links: map[string]string{"proc": "x"}},
		{name: "proc nowhere", links: map[string]string{"proc": "nowhere"}},
		{name: "proc in a loop", links: map[string]string{"proc": "proc"}},
		{name: "proc is the root", links: map[string]string{"proc": "/"}},
		{name: "sys out of the root", links: map[string]string{"sys": "../../../../x"}},
		{name: "dev in proc", links: map[string]string{"dev": "/proc/1/root/x"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := busyboxRoot(t)
			if err := os.Mkdir(filepath.Join(root, "x"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, target := range tc.links {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(target, path); err != nil {
					t.Fatal(err)
				}
			}
			got := shell(t, root, "echo started")
			if got.code != exitNamespace || got.stdout != "" || !strings.Contains(got.stderr, "not a directory") {
				t.Errorf("exit status %d, said %q, complained %q", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestFailuresHaveTheirExitStatus(t *testing.T) {
	root := busyboxRoot(t)
	for _, tc := range []struct {
		name, stderr string
		code         int
		args         []string
	}{
		{name: "no such program", args: []string{"-R", root, "--", "/bin/none"}, code: exitExec, stderr: `raket: execute "/bin/none": no such file or directory` + "\n"},
		{name: "a directory for a program", args: []string{"-R", root, "--", "/etc"}, code: exitExec, stderr: `raket: execute "/etc": permission denied` + "\n"},
		{name: "no such root", args: []string{"-R", root + "/none", "--", "/bin/busybox"}, code: exitNamespace, stderr: `raket: enter the app's root "` + root + `/none": no such file or directory` + "\n"},
		{name: "a root that is no mount point", args: []string{"-R", root + "/srv", "--", "/bin/busybox"}, code: exitNamespace, stderr: "raket: make the app's root the root: invalid argument\n"},
		{name: "no such working directory", args: []string{"-R", root, "-w", "/none", "--", "/bin/busybox"}, code: exitNamespace, stderr: `raket: enter the working directory "/none": no such file or directory` + "\n"},
		{name: "a capability that is not had", args: []string{"-R", root, "-b", "1", "-a", "8000000000000000", "--", "/bin/busybox"}, code: exitCaps},
		{name: "no notify socket", args: []string{"-R", root, "-n", "--", "/bin/busybox"}, code: exitNamespace, stderr: `raket: share "/run/systemd/notify": no such file or directory` + "\n"},
		{name: "bad usage", args: []string{"-z"}, code: exitUsage, stderr: "raket: unknown option \"-z\"\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := execute(t, root, tc.args...)
			if got.code != tc.code || tc.stderr != "" && got.stderr != tc.stderr {
				t.Errorf("exit status %d, want %d; complained %q, want %q", got.code, tc.code, got.stderr, tc.stderr)
			}
		})
	}
}

func TestUsersOtherThanRootKeepWhatIsAmbient(t *testing.T) {
	root := busyboxRoot(t)
	script := "/bin/busybox id; /bin/busybox grep -E 'Cap|Groups' /proc/self/status; /bin/busybox unshare -m true 2>/dev/null || echo confined"
	net := "0000000000000400" // CAP_NET_BIND_SERVICE
	for _, tc := range []struct {
		name, id string
		as       syscall.Credential
		ambient  string
		sets     [5]string // CapInh, CapPrm, CapEff, CapBnd, CapAmb
		groups   string
	}{
		{name: "a user without capabilities", as: syscall.Credential{Uid: 1000, Gid: 1000, Groups: []uint32{33}}, ambient: "0",
			id: "uid=1000 gid=1000 groups=33", groups: "33", sets: [5]string{"0000000000000000", "0000000000000000", "0000000000000000", "00000000000005fb", "0000000000000000"}},
		{name: "a user with one", as: syscall.Credential{Uid: 1000, Gid: 100}, ambient: "400",
			id: "uid=1000 gid=100", sets: [5]string{net, net, net, "00000000000005fb", net}},
		{name: "root with another group", as: syscall.Credential{Uid: 0, Gid: 100}, ambient: "0",
			id: "uid=0 gid=100", sets: [5]string{"0000000000000000", "00000000000005fb", "00000000000005fb", "00000000000005fb", "0000000000000000"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := executeAs(t, root, &tc.as, "-R", root, "-b", "5fb", "-a", tc.ambient, "--", "/bin/busybox", "sh", "-c", script)
			want := fmt.Sprintf("%s\nGroups:\t%s \nCapInh:\t%s\nCapPrm:\t%s\nCapEff:\t%s\nCapBnd:\t%s\nCapAmb:\t%s\nconfined\n",
				tc.id, tc.groups, tc.sets[0], tc.sets[1], tc.sets[2], tc.sets[3], tc.sets[4])
			if diff := cmp.Diff(result{stdout: want}, got, cmp.AllowUnexported(result{})); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}
