package copytree

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open opens a directory for the length of the test.
func open(t *testing.T, dir string) int {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	return fd
}

// describe lists what is below a directory, with what is to be kept of it.
func describe(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `cd "$1" && find . -mindepth 1 -printf '%P %y %m %U:%G %n %l %T@\n' | sort; find . -type f -print0 | sort -z | xargs -r -0 sha256sum`, "sh", dir).Output()
	must(t, err)
	return string(out)
}

func sample(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("owners of files need root")
	}
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, os.MkdirAll(dir+"/sub/deep", 0o755), os.WriteFile(dir+"/file", bytes.Repeat([]byte("x\x00y"), 100_000), 0o640),
		os.WriteFile(dir+"/sub/odd \xff\nname", nil, 0o600), os.Symlink("/etc/passwd", dir+"/abs"), os.Symlink("../../..", dir+"/sub/up"),
		os.Link(dir+"/file", dir+"/sub/linked"), unix.Mkfifo(dir+"/pipe", 0o622), os.Chown(dir+"/file", 7, 8), os.Lchown(dir+"/abs", 9, 9),
		os.WriteFile(dir+"/suid", nil, 0o755), os.Chmod(dir+"/suid", 0o755|os.ModeSetuid), os.Chmod(dir+"/sub", 0o700|os.ModeSetgid))
	return dir
}

func TestTreesAreTheSameAfterwards(t *testing.T) {
	dir := sample(t)
	if err := unix.Setxattr(dir+"/file", "user.note", []byte("a\x00b"), 0); err != nil {
		t.Logf("no extended attributes here: %v", err)
	}
	var stream bytes.Buffer
	left, err := Send(t.Context(), &stream, open(t, filepath.Dir(dir)), "tree")
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left out %q", left)
	}
	to := t.TempDir()
	must(t, Receive(t.Context(), &stream, Target{Dir: open(t, to), Name: "other"}))
	if diff := cmp.Diff(describe(t, dir), describe(t, to+"/other")); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	value := make([]byte, 10)
	if n, err := unix.Getxattr(dir+"/file", "user.note", value); err == nil {
		got := make([]byte, 10)
		m, err := unix.Getxattr(to+"/other/file", "user.note", got)
		if err != nil || !bytes.Equal(got[:m], value[:n]) {
			t.Errorf("attribute %q, %v, want %q", got[:m], err, value[:n])
		}
	}
	if names, _ := os.ReadDir(to); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
}

func TestContentFillsUpADirectory(t *testing.T) {
	dir := sample(t)
	to := t.TempDir()
	must(t, os.MkdirAll(to+"/sub", 0o711), os.WriteFile(to+"/sub/own", nil, 0o600), os.WriteFile(to+"/file", []byte("old"), 0o600))
	var stream bytes.Buffer
	_, err := Send(t.Context(), &stream, open(t, dir), Contents)
	must(t, err)
	must(t, Receive(t.Context(), bytes.NewReader(stream.Bytes()), Target{Dir: open(t, to), Defused: true}))
	must(t, Receive(t.Context(), bytes.NewReader(stream.Bytes()), Target{Dir: open(t, to), Name: "new"}))
	for name, want := range map[string]string{"sub": "d711", "sub/own": "f600", "file": "f640", "suid": "f755", "sub/deep": "d755", "new/suid": "f4755", "new": "d755"} {
		out, err := exec.CommandContext(t.Context(), "find", filepath.Join(to, name), "-maxdepth", "0", "-printf", "%y%m").Output()
		if err != nil || string(out) != want {
			t.Errorf("%s is %s, want %s", name, out, want)
		}
	}
	for name, make := range map[string]func(string) error{
		"a directory is in the way of a file": func(d string) error { return os.Mkdir(d+"/suid", 0o755) },
		"a file is in the way of a directory": func(d string) error { return os.WriteFile(d+"/sub", nil, 0o644) },
		"a link is in the way of a directory": func(d string) error { return os.Symlink("/", d+"/sub") },
	} {
		t.Run(name, func(t *testing.T) {
			to := t.TempDir()
			must(t, make(to))
			before := describe(t, to)
			if err := Receive(t.Context(), bytes.NewReader(stream.Bytes()), Target{Dir: open(t, to)}); err == nil {
				t.Error("it was copied")
			}
			if diff := cmp.Diff(before, describe(t, to)); diff != "" {
				t.Error("(-before +after):\n" + diff)
			}
		})
	}
}

func TestDevicesAndSocketsAreLeftOut(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/a", nil, 0o644), unix.Mknod(dir+"/socket", unix.S_IFSOCK|0o644, 0))
	var stream bytes.Buffer
	left, err := Send(t.Context(), &stream, open(t, dir), Contents)
	if diff := cmp.Diff([]string{"socket"}, left); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := Send(t.Context(), &stream, open(t, dir), "socket"); err == nil {
		t.Error("a socket was sent")
	}
	stream.Reset()
	left, err = Send(t.Context(), &stream, open(t, "/"), "proc")
	if err == nil {
		t.Errorf("the kernel's files were sent; left out %q", left)
	}
}

// archive makes a tar stream; content that begins with "→" is a symbolic link, "=" a hard
// link, and names that end in a slash are directories.
func archive(t *testing.T, entries ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e[0], Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(e[1]))}
		switch {
		case strings.HasSuffix(e[0], "/"):
			h.Typeflag, h.Size = tar.TypeDir, 0
		case strings.HasPrefix(e[1], "→"):
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, strings.TrimPrefix(e[1], "→"), 0
		case strings.HasPrefix(e[1], "="):
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, e[1][1:], 0
		case e[1] == "device":
			h.Typeflag, h.Devmajor, h.Devminor, h.Size = tar.TypeBlock, 8, 0, 0
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte(e[1]))
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

func TestHostileArchivesLeaveNothing(t *testing.T) {
	whole := archive(t, [2]string{"a", "x"}, [2]string{"b", "y"})
	for name, stream := range map[string][]byte{
		"up":                        archive(t, [2]string{"ok", "x"}, [2]string{"../evil", "x"}),
		"absolute":                  archive(t, [2]string{"/evil", "x"}),
		"through a link":            archive(t, [2]string{"l", "→.."}, [2]string{"l/evil", "x"}),
		"through an absolute link":  archive(t, [2]string{"l", "→/tmp"}, [2]string{"l/evil", "x"}),
		"a link made a directory":   archive(t, [2]string{"l", "→.."}, [2]string{"l/", ""}, [2]string{"l/evil", "x"}),
		"a hard link out":           archive(t, [2]string{"h", "=../secret"}),
		"a hard link by way of one": archive(t, [2]string{"l", "→.."}, [2]string{"h", "=l/secret"}),
		"a device":                  archive(t, [2]string{"sda", "device"}),
		"cut in a file":             whole[:512+3],
		"cut between files":         whole[:1024],
		"cut in its end":            whole[:len(whole)-512],
		"no archive":                []byte("hello"),
		"nothing":                   nil,
	} {
		t.Run(name, func(t *testing.T) {
			above := t.TempDir()
			must(t, os.WriteFile(above+"/secret", []byte("secret"), 0o600), os.Mkdir(above+"/to", 0o755))
			before := describe(t, above)
			for _, target := range []string{"", "name"} {
				if err := Receive(t.Context(), bytes.NewReader(stream), Target{Dir: open(t, above+"/to"), Name: target}); err == nil {
					t.Error("it was copied")
				}
			}
			if names, _ := os.ReadDir(above + "/to"); len(names) > 0 {
				t.Errorf("left: %v", names)
			}
			if after := describe(t, above); strings.Split(before, "to d")[0] != strings.Split(after, "to d")[0] {
				t.Errorf("before\n%s\nafter\n%s", before, after)
			}
		})
	}
}

func TestACopyThatIsGivenUpLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	to := t.TempDir()
	r := &cancelling{bytes.NewReader(archive(t, [2]string{"a", strings.Repeat("x", 1<<20)})), cancel}
	if err := Receive(ctx, r, Target{Dir: open(t, to)}); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
		t.Errorf("error %v", err)
	}
	if names, _ := os.ReadDir(to); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

// cancelling gives up after the first read.
type cancelling struct {
	r      *bytes.Reader
	cancel func()
}

func (c *cancelling) Read(p []byte) (int, error) {
	defer c.cancel()
	return c.r.Read(p[:min(len(p), 4096)])
}

func FuzzReceiveStaysInItsDirectory(f *testing.F) {
	for _, name := range []string{"a", "../a", "l/a", "/a"} {
		f.Add(name, "→..", "x")
	}
	f.Fuzz(func(t *testing.T, name, link, content string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		_ = w.WriteHeader(&tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: link})
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content)), Mode: 0o644}); err != nil {
			return
		}
		_, _ = fmt.Fprint(w, content)
		_ = w.Close()
		above := t.TempDir()
		must(t, os.Mkdir(above+"/to", 0o755))
		fd, err := unix.Open(above+"/to", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		must(t, err)
		defer unix.Close(fd)
		err = Receive(t.Context(), &b, Target{Dir: fd})
		inside, _ := os.ReadDir(above + "/to")
		if outside, _ := os.ReadDir(above); len(outside) != 1 || err != nil && len(inside) > 0 {
			t.Errorf("error %v, outside %v, inside %v", err, outside, inside)
		}
	})
}
