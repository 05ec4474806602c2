package userns

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a user namespace in which this user is root, and somebody is.
func namespace(t *testing.T) *os.File {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, GidMappingsEnableSetgroups: true,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1000000000, Size: 10}}, GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: 1000000000, Size: 10}},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	ns, err := os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ns.Close() })
	return ns
}

func TestAProgramIsRootInTheNamespaceAndNobodyElsewhere(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("joining a user namespace with several users needs root")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ns := namespace(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const script = `id -u; echo "$1 $X"; tr -s ' ' </proc/self/uid_map; grep -E 'SigBlk|Groups' /proc/self/status; read x <&4 || echo closed; exit 7`
	pid, err := Start(Process{
		Path: "/bin/sh", Args: []string{"sh", "-c", script, "sh", "argument"}, Env: []string{"X=variable", "PATH=/usr/bin:/bin"},
		// Descriptors that would be in each other's way.
		Files: []int{-1, int(w.Fd()), int(w.Fd()), int(r.Fd()), -1}, Namespace: int(ns.Fd()), Before: -1, Group: -1, Pdeathsig: unix.SIGKILL,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	const want = "0\nargument variable\n 0 1000000000 10\nGroups:\t \nSigBlk:\t0000000000000000\n"
	if got := string(text); len(got) < len(want) || got[:len(want)] != want || got[len(got)-7:] != "closed\n" {
		t.Errorf("it says %q, want %q", got, want)
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 7 {
		t.Errorf("it ended with %v, %v", ws, err)
	}
}

func TestWhatGoesWrongIsNamed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("joining a user namespace with several users needs root")
	}
	ns := namespace(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for name, tc := range map[string]struct {
		p    Process
		want string
		err  error
	}{
		"no program":   {Process{Path: "/nowhere", Namespace: int(ns.Fd()), Before: -1, Group: -1}, `execute "/nowhere": no such file or directory`, unix.ENOENT},
		"no namespace": {Process{Path: "/bin/true", Namespace: int(null.Fd()), Before: -1, Group: -1}, "join the user namespace: invalid argument", unix.EINVAL},
		"no network":   {Process{Path: "/bin/true", Namespace: int(ns.Fd()), Before: int(null.Fd()), Group: -1}, "join the network: invalid argument", unix.EINVAL},
		"no group":     {Process{Path: "/bin/true", Namespace: int(ns.Fd()), Before: -1, Group: -1, Tasks: []int{int(null.Fd())}}, "join the control group: bad file descriptor", unix.EBADF},
	} {
		_, err := Start(tc.p)
		if err == nil || err.Error() != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%s: error %v, want %s", name, err, tc.want)
		}
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != nil && !errors.Is(err, unix.ECHILD) {
		t.Error(err)
	}
}
