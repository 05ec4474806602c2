package approot

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// isolated runs the rest of the test in a mount namespace as stages make it, and
// checks at its end that the namespace it came from is as it was, though its
// mounts are shared ones. It returns a directory that overlayfs can write to.
func isolated(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounts need root")
	}
	dir := t.TempDir()
	// Never unlocked: the thread ends with the test.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Skipf("no mount namespaces here: %v", err)
	}
	must(t,
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""),
	)
	host, err := os.Open("/proc/thread-self/ns/mnt")
	must(t, err)
	before := mountinfo(t)
	t.Cleanup(func() {
		must(t, unix.Setns(int(host.Fd()), unix.CLONE_NEWNS), host.Close())
		if diff := cmp.Diff(before, mountinfo(t)); diff != "" {
			t.Error("the host's mounts (-before +after):\n" + diff)
		}
		must(t, unix.Unmount(dir, unix.MNT_DETACH))
	})
	must(t, Isolate())
	return dir
}

func mountinfo(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/mountinfo")
	must(t, err)
	return string(text)
}

// build makes files in a directory: a path that ends in a slash is a directory,
// content that begins with "→" a symbolic link.
func build(t *testing.T, dir string, files ...[2]string) string {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	for _, f := range files {
		path := filepath.Join(dir, f[0])
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if target, ok := strings.CutPrefix(f[1], "→"); ok {
			must(t, os.Symlink(target, path))
		} else if strings.HasSuffix(f[0], "/") {
			must(t, os.MkdirAll(path, 0o755))
		} else {
			must(t, os.WriteFile(path, []byte(f[1]), 0o644))
		}
	}
	return dir
}

// root describes a root in dir whose layers are given, the top one first.
func root(t *testing.T, dir string, lowers ...string) Root {
	t.Helper()
	r := Root{Target: filepath.Join(dir, "rootfs"), Upper: filepath.Join(dir, "upper"), Work: filepath.Join(dir, "work"), Lowers: lowers}
	must(t, os.MkdirAll(r.Target, 0o755), os.MkdirAll(r.Upper, 0o755), os.MkdirAll(r.Work, 0o755))
	return r
}

func read(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// writable reports whether a file can be made in dir.
func writable(t *testing.T, elem ...string) bool {
	t.Helper()
	f, err := os.CreateTemp(filepath.Join(elem...), "")
	if err == nil {
		must(t, f.Close(), os.Remove(f.Name()))
		return true
	}
	if !errors.Is(err, unix.EROFS) {
		t.Fatal(err)
	}
	return false
}
