package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

// host is directories for raket with the real services, as a process of its own.
type host struct {
	t    *testing.T
	root string
}

func newHost(t *testing.T) host {
	if os.Geteuid() != 0 {
		t.Skip("unpacking sets owners: needs root")
	}
	return host{t, t.TempDir()}
}

func (h host) path(elem ...string) string { return filepath.Join(append([]string{h.root}, elem...)...) }

// command is raket with the data in DIR below the root and configuration of no one else's.
func (h host) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(h.t.Context(), os.Args[0])
	cmd.Args = append([]string{"realraket", "--dir=" + h.path(dir), "--system-config=" + h.path("usr/lib/raket"), "--local-config=" + h.path("etc")}, args...)
	return cmd
}

// raket runs it and returns what it prints. It must exit with the status.
func (h host) raket(status int, stdin io.Reader, dir string, args ...string) (string, string) {
	h.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := h.command(dir, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != status {
		h.t.Fatalf("raket %s exits with %d, want %d: %s", strings.Join(args, " "), got, status, stderr.String())
	}
	return stdout.String(), stderr.String()
}

func hostImage(t *testing.T, body string) *imagetest.Image {
	return imagetest.NewFor(t, runtime.GOARCH,
		[]imagetest.File{{Name: "base", Body: "base"}}, []imagetest.File{{Name: "etc/f", Body: body, Mode: 0o600, UID: 7}})
}

func TestImagesGoRound(t *testing.T) {
	h := newHost(t)
	imagetest.WriteLayout(t, h.path("layout"), map[string]*imagetest.Image{"r.example/app:1": hostImage(t, "1"), "r.example/app:2": hostImage(t, "2")})
	ids, _ := h.raket(0, nil, "a", "image", "import", "--full", "--with-names", h.path("layout"))
	if len(strings.Fields(ids)) != 2 {
		t.Fatalf("imported %q, want two images", ids)
	}
	// From one store to another through a pipe; the name goes along, the ID stays.
	archive, _ := h.raket(0, nil, "a", "image", "export", "r.example/app:1", "-")
	id, _ := h.raket(0, strings.NewReader(archive), "b", "image", "import", "--full", "--with-names", "-")
	list, _ := h.raket(0, nil, "b", "image", "list", "--no-legend", "--full", "--fields=id,name,store")
	if want := strings.TrimSpace(id) + "\tdocker://r.example/app:1\twritable\n"; list != want || !strings.Contains(ids, id) {
		t.Errorf("listed %q, want %q, one of %q", list, want, ids)
	}
	// A file whose name says nothing, as standard input.
	must(t, os.WriteFile(h.path("x:y"), []byte(archive), 0o600))
	f, err := os.Open(h.path("x:y"))
	must(t, err)
	defer f.Close()
	h.raket(0, f, "c", "image", "import", "-")
	_, stderr := h.raket(254, nil, "c", "image", "import", h.path("x:y"))
	if !strings.Contains(stderr, "hint: ") {
		t.Errorf("no hint in %q", stderr)
	}
	// An archive alone gives no name of a registry.
	if _, stderr := h.raket(254, nil, "c", "image", "rm", "docker://r.example/app:1"); !strings.Contains(stderr, "not in the store") {
		t.Errorf("an archive named its image as if it had come from a registry: %q", stderr)
	}
	h.raket(0, nil, "b", "image", "extract", "--rootfs-only", "r.example/app", h.path("out"))
	if raw, err := os.ReadFile(h.path("out/etc/f")); err != nil || string(raw) != "1" {
		t.Errorf("extracted %q, %v", raw, err)
	}
	h.raket(0, nil, "b", "image", "rm", "r.example/app:1")
	if left, _ := h.raket(0, nil, "b", "image", "list", "--no-legend"); left != "" {
		t.Errorf("%q is left", left)
	}
}

func TestVerifyAndRepair(t *testing.T) {
	h := newHost(t)
	img := hostImage(t, "1")
	imagetest.WriteLayout(t, h.path("layout"), map[string]*imagetest.Image{"x": img})
	h.raket(0, nil, "a", "image", "import", h.path("layout"))
	files, err := filepath.Glob(h.path("a/trees/sha256-*/fs/etc/f"))
	if err != nil || len(files) != 1 {
		t.Fatalf("found %v, %v", files, err)
	}
	before, err := os.Stat(files[0])
	must(t, err)
	must(t, os.WriteFile(files[0], []byte("2"), 0))
	must(t, os.Chtimes(files[0], before.ModTime(), before.ModTime()))
	tree := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(files[0]))))
	stdout, stderr := h.raket(254, nil, "a", "image", "verify", "--all")
	if want := img.ID.String()[:19] + ": tree " + tree + " \"etc/f\": content differs\n"; stdout != want {
		t.Errorf("printed %q, want %q", stdout, want)
	}
	if !strings.Contains(stderr, "hint: raket image verify --repair") {
		t.Errorf("no hint in %q", stderr)
	}
	h.raket(0, nil, "a", "image", "verify", "--repair", "--all")
	stdout, _ = h.raket(0, nil, "a", "image", "verify", "--all")
	if want := img.ID.String()[:19] + ": all as its digests say\n"; stdout != want {
		t.Errorf("printed %q, want %q", stdout, want)
	}
}

// TestSeed: a store made below another root is whole, and is searched on the host that
// has it.
func TestSeed(t *testing.T) {
	h := newHost(t)
	imagetest.WriteLayout(t, h.path("layout"), map[string]*imagetest.Image{"r.example/app:1": hostImage(t, "1")})
	seed := "usr/lib/raket/store"
	h.raket(0, nil, seed, "image", "import", "--with-names", h.path("layout"))
	list, _ := h.raket(0, nil, "var", "image", "list", "--no-legend", "--fields=name,store")
	if want := "docker://r.example/app:1\t" + h.path(seed) + "\n"; list != want {
		t.Errorf("listed %q, want %q", list, want)
	}
	if _, stderr := h.raket(254, nil, "var", "image", "rm", "r.example/app:1"); !strings.Contains(stderr, "read-only store, "+h.path(seed)) {
		t.Errorf("said %q, want where the image is", stderr)
	}
	// A present image needs no network, and nothing new on the disk.
	h.raket(0, nil, "var", "fetch", "docker://r.example/app:1")
	trees, err := filepath.Glob(h.path("var/trees/[a-z]*"))
	if err != nil || len(trees) > 0 {
		t.Errorf("made %v, %v", trees, err)
	}
	// The seed of another root, made on this host, takes nothing from this one's.
	other := filepath.Join("image", h.root, seed)
	h.raket(0, nil, other, "image", "import", h.path("layout"))
	trees, err = filepath.Glob(h.path(other, "trees/[a-z]*"))
	if err != nil || len(trees) == 0 {
		t.Errorf("%v, %v: the seed is not whole", trees, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestListOfManyImagesIsFast measures the processor time of whole processes, which other
// work of the machine's hardly changes.
func TestListOfManyImagesIsFast(t *testing.T) {
	h := newHost(t)
	const images, wantList = 1000, 100 * time.Millisecond
	s, err := imagestore.Open(h.path("a"))
	must(t, err)
	img := hostImage(t, "1").Add(t, s, "docker://r.example/app:0")
	copyImages(t, h.path("a/images"), img.ID.Encoded(), images)
	var best time.Duration
	for range 20 {
		before := childTime(t)
		out, _ := h.raket(0, nil, "a", "image", "list", "--no-legend")
		took := childTime(t) - before
		if n := strings.Count(out, "\n"); n != images {
			t.Fatalf("listed %d images, want %d", n, images)
		}
		if best == 0 || took < best {
			best = took
		}
		if best <= wantList {
			break
		}
	}
	t.Logf("%d images listed in %v", images, best)
	if best > wantList {
		t.Errorf("listing %d images took %v, want %v", images, best, wantList)
	}
}

// childTime is the processor time of all children that have ended.
func childTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// copyImages makes a store with one image have n, under other names and IDs.
func copyImages(t *testing.T, dir, id string, n int) {
	t.Helper()
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	must(t, err)
	record, err := os.ReadFile(filepath.Join(dir, "records", id+".json"))
	must(t, err)
	head, entry, ok := bytes.Cut(index, []byte(`"manifests":[`))
	if !ok {
		t.Fatalf("index is %s", index)
	}
	entry = bytes.TrimSuffix(entry, []byte("]}"))
	var entries [][]byte
	for i := range n {
		other := strings.Repeat("0", 60) + string([]byte{hexDigit(i >> 8), hexDigit(i >> 4), hexDigit(i), 'a'})
		e := bytes.ReplaceAll(entry, []byte(id), []byte(other))
		entries = append(entries, bytes.ReplaceAll(e, []byte("app:0"), []byte("app:"+other[60:])))
		must(t, os.WriteFile(filepath.Join(dir, "records", other+".json"), bytes.ReplaceAll(record, []byte(id), []byte(other)), 0o640))
	}
	raw := append(append(head, []byte(`"manifests":[`)...), append(bytes.Join(entries, []byte(",")), []byte("]}")...)...)
	must(t, os.WriteFile(filepath.Join(dir, "index.json"), raw, 0o640))
}

func hexDigit(n int) byte { return "0123456789abcdef"[n&15] }

// TestManyAtOnce: processes that import, verify, export and collect one image end
// well, in whatever order they come.
func TestManyAtOnce(t *testing.T) {
	h := newHost(t)
	imagetest.WriteLayout(t, h.path("layout"), map[string]*imagetest.Image{"r.example/app:1": hostImage(t, "1")})
	h.raket(0, nil, "a", "image", "import", "--with-names", h.path("layout"))
	files, err := filepath.Glob(h.path("a/trees/sha256-*/fs/etc/f"))
	if err != nil || len(files) != 1 {
		t.Fatalf("found %v, %v", files, err)
	}
	must(t, os.WriteFile(files[0], []byte("2"), 0))
	var running []*exec.Cmd
	for _, args := range [][]string{
		{"import", h.path("layout")}, {"verify", "--all", "--repair"}, {"gc"}, {"export", "--overwrite", "r.example/app:1", h.path("x.tar")},
		{"extract", "--overwrite", "r.example/app:1", h.path("x")}, {"verify", "--all", "--repair"}, {"import", h.path("layout")},
		{"extract", "--overwrite", "r.example/app:1", h.path("x")}, {"gc", "--size-target=1K"}, {"list"},
	} {
		cmd := h.command("a", append([]string{"image"}, args...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		must(t, cmd.Start())
		running = append(running, cmd)
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%q: %v: %s", cmd.Args[4:], err, cmd.Stderr)
		}
	}
	h.raket(0, nil, "a", "image", "verify", "--all")
	h.raket(0, nil, "a", "image", "gc", "--grace-period=0s")
	left, err := filepath.Glob(h.path("a/trees/*/*"))
	if err != nil || cmp.Diff([]string(nil), left) != "" {
		t.Errorf("left %v, %v", left, err)
	}
	if partial, err := filepath.Glob(h.path(".raket-partial-*")); err != nil || len(partial) > 0 {
		t.Errorf("left %v, %v", partial, err)
	}
}
