package demo

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is an ordinary user's number.
const nobody = 65534

func TestDeps(t *testing.T) {
	for name, tt := range map[string]struct {
		args     []string
		programs []string // that the machine has, besides a shell's
		ordinary bool     // run by an ordinary user
		code     int
		says     []string
	}{
		"without apt-get, what is missing is named and nothing goes on": {
			args: []string{"build", "demo"}, programs: []string{"go", "git", "make"}, code: 1,
			says: []string{"missing command curl (Debian package curl)", "missing command systemd-nspawn (Debian package systemd-container)"},
		},
		"an ordinary user installs nothing": {
			args: []string{"build", "demo"}, programs: []string{"go", "git", "make", "apt-get"}, ordinary: true, code: 1,
			says: []string{"missing command curl (Debian package curl)"},
		},
		"what is optional is named, too": {
			args: []string{"--optional", "demo"}, says: []string{"missing command curl (Debian package curl)"},
		},
		"Go is no package": {
			args: []string{"build"}, programs: []string{"git", "make"}, code: 1, says: []string{"missing command go (1.26 or newer, https://go.dev/dl)"},
		},
		"where nothing is missing, nothing is said": {args: []string{"build"}, programs: []string{"go", "git", "make"}},
		"an unknown group is refused":               {args: []string{"tests"}, code: 2, says: []string{"unknown group tests"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, called := machine(t, append(tt.programs, "id", "sort"))
			script, err := os.Open("../../dist/deps.sh")
			if err != nil {
				t.Fatal(err)
			}
			defer script.Close()
			// Not by its name: an ordinary user may not get into the checkout.
			cmd := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-s", "--"}, tt.args...)...)
			cmd.Stdin = script
			cmd.Env = []string{"PATH=" + dir}
			if os.Geteuid() != 0 {
				tt.ordinary = false // this is one already
			}
			if tt.ordinary {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if code := cmd.ProcessState.ExitCode(); code != tt.code {
				t.Errorf("exit status %d, want %d", code, tt.code)
			}
			for _, want := range tt.says {
				if !strings.Contains(string(out), want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if len(tt.says) == 0 && len(out) > 0 {
				t.Error("it says something")
			}
			if _, err := os.Stat(called); err == nil {
				t.Error("it called a program that it only had to look for")
			}
			if t.Failed() {
				t.Logf("it said:\n%s", out)
			}
		})
	}
}

// machine makes a PATH: id and sort are real, all others, if called, make the file called.
// Programs of /usr/sbin are there besides, as deps.sh looks there.
func machine(t *testing.T, programs []string) (dir, called string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "deps") // an ordinary user gets here, but not to t.TempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	called = filepath.Join(dir, "called")
	for _, p := range programs {
		path := filepath.Join(dir, p)
		if p == "id" || p == "sort" {
			err = os.Symlink("/usr/bin/"+p, path)
		} else {
			err = os.WriteFile(path, []byte("#!/bin/sh\n: >"+called+"\n"), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir, called
}
