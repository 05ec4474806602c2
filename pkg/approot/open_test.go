package approot

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/appspec"
)

func TestAViewDoesNotLeaveItsRoot(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/passwd", []byte("evil:x:0:0::/:/bin/sh\n"), 0o755))
	dir := build(t, t.TempDir(), [2]string{"etc/passwd", "→/users"}, [2]string{"users", "app:x:7:8::/:/bin/sh\n"},
		[2]string{"out", "→" + outside + "/passwd"}, [2]string{"up", "→../../../../../../.." + outside + "/passwd"}, [2]string{"bin/sh", "x"})
	must(t, os.Chmod(dir+"/bin/sh", 0o755), unix.Mkfifo(dir+"/etc/group", 0o644))
	v, err := OpenView(dir)
	must(t, err)
	defer v.Close()
	for path, want := range map[string]bool{"/bin/sh": true, "/../bin/sh": true, "/out": false, "/up": false, outside + "/passwd": false, "/bin": false, "/users": false} {
		if got := v.Executable(path); got != want {
			t.Errorf("%s: executable %v", path, got)
		}
	}
	if _, err := v.Resolver(); err == nil {
		t.Error("a pipe was read for groups")
	}
	must(t, os.Remove(dir+"/etc/group"))
	r, err := v.Resolver()
	must(t, err)
	u, err := appspec.ResolveUser(r.Users, appspec.UserRequest{User: "app", Owner: r.Owner})
	if err != nil || u.UID != 7 || u.GID != 8 {
		t.Errorf("%+v, %v", u, err)
	}
	must(t, os.Remove(dir+"/etc/passwd"), os.Symlink(filepath.Join(outside, "passwd"), dir+"/etc/passwd"))
	r, err = v.Resolver()
	must(t, err)
	if _, err := appspec.ResolveUser(r.Users, appspec.UserRequest{User: "evil"}); err == nil {
		t.Error("a file outside was read for users")
	}
}
