package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
	"github.com/raket/raket/stage0/fetch"
)

// TestMain lets the test binary be a fetching process of its own:
//
//	fetch-child STORE IMAGE STEP
//
// fetches and kills itself at the given step, if there are that many; then
// prints how many steps there were.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "fetch-child" {
		if err := fetchChild(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func fetchChild(dir, name, step string) error {
	last, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	steps := 0
	s, err := imagestore.OpenWith(dir, imagestore.Options{OnStep: func(string) {
		mu.Lock()
		defer mu.Unlock()
		if steps == last {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal comes
		}
		steps++
	}})
	if err != nil {
		return err
	}
	_, err = fetch.Fetch(context.Background(), fetch.Options{Store: s, Name: name})
	fmt.Println("steps:", steps)
	return err
}

func child(dir, name string, step int) *exec.Cmd {
	return exec.Command(os.Args[0], "fetch-child", dir, name, strconv.Itoa(step))
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	st, ok := exit.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// checkStore holds everything that is visible against its digest.
func checkStore(t *testing.T, dir string) *imagestore.Store {
	t.Helper()
	s, err := imagestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	images, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range images {
		if err := s.Verify(t.Context(), img); err != nil {
			t.Error(err)
		}
	}
	blobs, err := os.ReadDir(filepath.Join(dir, "images/blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blobs {
		raw, err := os.ReadFile(filepath.Join(dir, "images/blobs/sha256", b.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got := image.Sum(raw).Encoded(); got != b.Name() && !strings.HasPrefix(b.Name(), ".tmp-") {
			t.Errorf("blob %s has digest %s", b.Name(), got)
		}
	}
	return s
}

// checkEmptied removes all images and expects the store as it was made.
func checkEmptied(t *testing.T, s *imagestore.Store, dir string, empty []string) {
	t.Helper()
	if _, err := s.GC(imagestore.GCOptions{}); err != nil {
		t.Fatal(err)
	}
	after := slices.DeleteFunc(snapshot(t, dir), func(name string) bool {
		return name == "/images/index.json" || name == "/images/records/.list"
	})
	if diff := cmp.Diff(empty, after); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

func TestKilledAtEveryStep(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	name := reg.Push("app", "1", twoLayers(t))
	_, fresh := openStore(t)
	empty := snapshot(t, fresh)
	for step := 0; ; step++ {
		dir := filepath.Join(t.TempDir(), "raket")
		out, err := child(dir, name, step).CombinedOutput()
		if err == nil {
			if step < 10 {
				t.Errorf("only %d steps: %s", step, out)
			}
			t.Logf("killed at each of %d steps", step)
			return
		}
		if !killed(err) {
			t.Fatalf("step %d: %v: %s", step, err, out)
		}
		s := checkStore(t, dir)
		get(t, s, fetch.Options{Name: name}, "app", "upper")
		checkStore(t, dir)
		checkEmptied(t, s, dir, empty)
	}
}

func TestKilledWhileALayerArrives(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	img := bigImage(t)
	name := reg.Push("app", "1", img)
	_, fresh := openStore(t)
	empty := snapshot(t, fresh)
	for _, part := range []int{0, 1, 50, 99} {
		dir := filepath.Join(t.TempDir(), "raket")
		cmd := child(dir, name, 1<<30)
		pid := make(chan int, 1)
		reg.OnBlob(func(w http.ResponseWriter, d digest.Digest, blob []byte) bool {
			if d != img.Layers[0] {
				return false
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
			_, _ = w.Write(blob[:len(blob)*part/100])
			_ = http.NewResponseController(w).Flush()
			if part > 1 {
				waitForBlob(t, dir, d, len(blob)*part/200)
			}
			_ = syscall.Kill(<-pid, syscall.SIGKILL)
			return true
		})
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid <- cmd.Process.Pid
		if err := cmd.Wait(); !killed(err) {
			t.Fatalf("child was not killed: %v", err)
		}
		reg.OnBlob(nil)
		s := checkStore(t, dir)
		if images, err := s.List(); err != nil || len(images) != 0 {
			t.Errorf("half an image is visible: %v %v", images, err)
		}
		get(t, s, fetch.Options{Name: name}, "last", "end")
		checkEmptied(t, s, dir, empty)
	}
}

// killedAt has a process fetch, and killed when that much of a blob was written.
func killedAt(t *testing.T, reg *imagetest.Registry, name, dir string, d digest.Digest, size int) {
	t.Helper()
	cmd := child(dir, name, 1<<30)
	pid := make(chan int, 1)
	reg.OnBlob(func(w http.ResponseWriter, asked digest.Digest, blob []byte) bool {
		if asked != d {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		_, _ = w.Write(blob[:size])
		_ = http.NewResponseController(w).Flush()
		waitForBlob(t, dir, d, size*9/10)
		_ = syscall.Kill(<-pid, syscall.SIGKILL)
		return true
	})
	defer reg.OnBlob(nil)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid <- cmd.Process.Pid
	if err := cmd.Wait(); !killed(err) {
		t.Fatalf("child was not killed: %v", err)
	}
}

func TestAFetchGoesOnWhereAKilledOneWas(t *testing.T) {
	needRoot(t)
	const most = 2 << 20
	for _, tc := range []struct {
		name   string
		change func(t *testing.T, partial string)
		ranges int
	}{
		{name: "as it was left", ranges: 1},
		{name: "but not with what is too little", change: func(t *testing.T, partial string) { must(t, os.Truncate(partial, 1<<19)) }},
		// What was left is asked for anew where it turns out to be wrong.
		{name: "but for bytes that a power loss took", ranges: 1, change: func(t *testing.T, partial string) {
			f, err := os.OpenFile(partial, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt(make([]byte, 4096), 1<<20-4096)
			must(t, errors.Join(err, f.Close()))
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reg := imagetest.NewRegistry(t)
			img := bigImage(t)
			name := reg.Push("app", "1", img)
			dir := filepath.Join(t.TempDir(), "raket")
			killedAt(t, reg, name, dir, img.Layers[0], most)
			if tc.change != nil {
				tc.change(t, filepath.Join(dir, "images/ingest", img.Layers[0].Encoded(), "blob"))
			}
			s := checkStore(t, dir)
			get(t, s, fetch.Options{Name: name}, "last", "end")
			if got := reg.Ranges(img.Layers[0]); len(got) != tc.ranges {
				t.Errorf("the blob was asked for by %q", got)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "images/ingest")); err != nil || len(left) != 0 {
				t.Errorf("left in ingest: %v, %v", left, err)
			}
		})
	}
}

func TestCollectionLeavesNoPartOfABlob(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	img := bigImage(t)
	name := reg.Push("app", "1", img)
	_, fresh := openStore(t)
	dir := filepath.Join(t.TempDir(), "raket")
	killedAt(t, reg, name, dir, img.Layers[0], 2<<20)
	checkEmptied(t, checkStore(t, dir), dir, snapshot(t, fresh))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// waitForBlob waits until the fetching process has written that much.
func waitForBlob(t *testing.T, dir string, d digest.Digest, size int) {
	path := filepath.Join(dir, "images/ingest", d.Encoded(), "blob")
	for t.Context().Err() == nil {
		if fi, err := os.Stat(path); err == nil && fi.Size() >= int64(size) {
			return
		}
	}
}

// bigImage is of a few megabytes that don't compress.
func bigImage(t testing.TB) *imagetest.Image {
	noise := make([]byte, 3<<20)
	seed := uint32(1)
	for i := range noise {
		seed = seed*1664525 + 1013904223
		noise[i] = byte(seed >> 24)
	}
	return imagetest.New(t, []imagetest.File{{Name: "noise", Body: string(noise)}, {Name: "last", Body: "end"}})
}

func TestManyProcessesFetchOnce(t *testing.T) {
	needRoot(t)
	reg := imagetest.NewRegistry(t)
	src := twoLayers(t)
	name := reg.Push("app", "1", src)
	dir := filepath.Join(t.TempDir(), "raket")
	const processes = 20
	var outs [processes]bytes.Buffer
	var cmds [processes]*exec.Cmd
	for i := range cmds {
		cmds[i] = child(dir, name, 1<<30)
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, outs[i].String())
		}
	}
	for _, d := range src.Layers {
		if n := reg.Served(d); n != 1 {
			t.Errorf("layer %s was fetched %d times, want once", d, n)
		}
	}
	s := checkStore(t, dir)
	get(t, s, fetch.Options{Name: name, PullPolicy: fetch.Never}, "app", "upper")
}

func TestFullDisk(t *testing.T) {
	needRoot(t)
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("raket-test", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	reg := imagetest.NewRegistry(t)
	name := reg.Push("app", "1", bigImage(t))
	s, err := imagestore.Open(filepath.Join(dir, "raket"))
	if err != nil {
		t.Fatal(err)
	}
	empty := snapshot(t, dir)
	_, err = fetch.Fetch(t.Context(), fetch.Options{Store: s, Name: name})
	if !errors.Is(err, unix.ENOSPC) || strings.Contains(err.Error(), "\n") {
		t.Fatalf("error %v, want one line of no space", err)
	}
	if diff := cmp.Diff(empty, snapshot(t, dir)); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
	if err := unix.Mount("raket-test", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	get(t, s, fetch.Options{Name: name}, "last", "end")
}
