package flavour

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/stageabi"
)

const manifest = `{"acKind":"ImageManifest","acVersion":"0.8.11","name":"x","annotations":[
	{"name":"raket/stage1/interface-version","value":"1"},{"name":"raket/stage1/requires","value":"REQUIRES"},
	{"name":"raket/stage1/run","value":"/run"}]}`

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// install makes a flavour in a directory for flavours.
func install(t *testing.T, dir, name, requires string) string {
	t.Helper()
	flavour := filepath.Join(dir, name)
	must(t,
		os.MkdirAll(filepath.Join(flavour, "rootfs/bin"), 0o755),
		os.WriteFile(filepath.Join(flavour, "manifest"), []byte(strings.Replace(manifest, "REQUIRES", requires, 1)), 0o644),
		os.WriteFile(filepath.Join(flavour, "rootfs/entry"), []byte("#!/bin/sh\n"), 0o755),
		os.WriteFile(filepath.Join(flavour, "rootfs/bin/exec"), []byte("x"), 0o755),
		os.Symlink("entry", filepath.Join(flavour, "rootfs/run")),
	)
	return flavour
}

func find(t *testing.T, r Request) (stageabi.Stage1, *flock.Lock) {
	t.Helper()
	s, lock, err := Find(t.Context(), r)
	must(t, err)
	t.Cleanup(func() { _ = lock.Close() })
	return s, lock
}

func names(t *testing.T, dataDir string) []string {
	t.Helper()
	entries, err := os.ReadDir(Dir(dataDir))
	must(t, err)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func uses(dirs ...string) func() (map[string]bool, error) {
	return func() (map[string]bool, error) {
		used := map[string]bool{}
		for _, d := range dirs {
			used[d] = true
		}
		return used, nil
	}
}

func TestAnInstalledFlavourIsCopiedOnce(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	installed := install(t, dir, "nspawn", "sh")
	r := Request{DataDir: data, SearchDirs: []string{"/nowhere", dir}}
	first, _ := find(t, r)
	again, _ := find(t, r)
	if first.Dir != again.Dir || len(names(t, data)) != 1 {
		t.Errorf("%s and %s; in all %v", first.Dir, again.Dir, names(t, data))
	}
	if first.Name != "nspawn" || filepath.Dir(first.Dir) != Dir(data) || first.Entrypoints[stageabi.Run] != "run" {
		t.Errorf("%+v", first)
	}
	// What runs does not change when the installed flavour does.
	must(t, os.WriteFile(filepath.Join(installed, "rootfs/entry"), []byte("#!/bin/false\n"), 0o755))
	upgraded, _ := find(t, r)
	text, err := os.ReadFile(filepath.Join(first.Dir, "rootfs/run"))
	must(t, err)
	if string(text) != "#!/bin/sh\n" || upgraded.Dir == first.Dir {
		t.Errorf("the copy has %q; the new one is %s", text, upgraded.Dir)
	}
}

// A pod's users who are not root execute what is in the copy.
func TestCopiesAreReadableAndNotWritableWhateverTheUmask(t *testing.T) {
	dir := t.TempDir()
	installed := install(t, dir, "nspawn", "")
	must(t, os.Chmod(filepath.Join(installed, "manifest"), 0o666))
	for _, umask := range []int{0, 0o077} {
		data := t.TempDir()
		old := syscall.Umask(umask)
		s, _ := find(t, Request{DataDir: data, SearchDirs: []string{dir}})
		syscall.Umask(old)
		for name, want := range map[string]os.FileMode{"": 0o755, "manifest": 0o644, "rootfs": 0o755, "rootfs/bin": 0o755, "rootfs/bin/exec": 0o755} {
			st, err := os.Stat(filepath.Join(s.Dir, name))
			must(t, err)
			if st.Mode().Perm() != want {
				t.Errorf("umask %03o: %q has mode %o, want %o", umask, name, st.Mode().Perm(), want)
			}
		}
	}
}

func TestManyAtOnceGetOneCopy(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	install(t, dir, "nspawn", "")
	var all sync.WaitGroup
	var found [20]string
	for i := range found {
		all.Go(func() {
			s, lock, err := Find(t.Context(), Request{DataDir: data, SearchDirs: []string{dir}})
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = s.Dir
			if _, err := os.Stat(filepath.Join(s.Dir, "rootfs/bin/exec")); err != nil {
				t.Error(err)
			}
			if err := lock.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if len(slices.Compact(found[:])) != 1 || len(names(t, data)) != 1 {
		t.Errorf("found %v, made %v", found, names(t, data))
	}
}

// Who has found a flavour has it until he lets go, whatever collectors do.
func TestFindingAndCollectingAtOnce(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	install(t, dir, "nspawn", "")
	ctx, cancel := context.WithCancel(t.Context())
	var finders, collectors sync.WaitGroup
	for range 4 {
		collectors.Go(func() {
			for ctx.Err() == nil {
				if err := Collect(data, uses()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		finders.Go(func() {
			for range 30 {
				s, lock, err := Find(t.Context(), Request{DataDir: data, SearchDirs: []string{dir}})
				if err != nil {
					t.Error(err)
					return
				}
				for _, name := range []string{"manifest", "rootfs/run", "rootfs/bin/exec"} {
					if _, err := os.Stat(filepath.Join(s.Dir, name)); err != nil {
						t.Error(err)
					}
				}
				if err := lock.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	finders.Wait()
	cancel()
	collectors.Wait()
}

func TestCollectKeepsWhatIsUsedAndHeld(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	for _, name := range []string{"used", "held", "free"} {
		install(t, dir, name, "")
	}
	// The copies as they were before all of them were upgraded.
	r := Request{DataDir: data, SearchDirs: []string{dir}}
	var kept []string
	var locks []*flock.Lock
	for _, r.Name = range []string{"used", "held", "free"} {
		s, lock := find(t, r)
		kept = append(kept, s.Dir)
		locks = append(locks, lock)
	}
	must(t, locks[0].Close(), locks[2].Close())
	for _, r.Name = range []string{"used", "held", "free"} {
		must(t, os.WriteFile(filepath.Join(dir, r.Name, "rootfs/entry"), []byte("#!/bin/false\n"), 0o755))
		s, lock := find(t, r)
		kept = append(kept, s.Dir)
		must(t, lock.Close())
	}
	// What killed processes leave.
	must(t, os.Mkdir(filepath.Join(Dir(data), tempPrefix+"1"), 0o700), os.Mkdir(filepath.Join(Dir(data), tempPrefix+"2"), 0o700))
	must(t, os.Mkdir(filepath.Join(Dir(data), tempPrefix+"2", "gone"), 0o700))
	// A pod may have been told of the same directory by another name.
	must(t, Collect(data, uses(filepath.Join("/elsewhere", filepath.Base(kept[0])))))
	var want []string
	for _, i := range []int{0, 1, 3, 4, 5} { // and of each the last
		want = append(want, filepath.Base(kept[i]))
	}
	slices.Sort(want)
	if got := names(t, data); !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	must(t, Collect(t.TempDir(), uses()))
}

func TestCollectRemovesNothingIfPodsCannotBeListed(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	install(t, dir, "nspawn", "")
	_, lock := find(t, Request{DataDir: data, SearchDirs: []string{dir}})
	must(t, lock.Close())
	broken := errors.New("broken")
	if err := Collect(data, func() (map[string]bool, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if len(names(t, data)) != 1 {
		t.Error("removed what may be in use")
	}
}

func TestFlavoursThatCannotBeUsed(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "nspawn", "sh no-such-program-1")
	install(t, dir, "old", "")
	must(t, os.WriteFile(filepath.Join(dir, "old/manifest"), []byte(`{"acKind":"ImageManifest","annotations":[{"name":"raket/stage1/interface-version","value":"0"}]}`), 0o644))
	install(t, dir, "odd", "")
	must(t, syscall.Mkfifo(filepath.Join(dir, "odd/rootfs/fifo"), 0o600))
	for name, tc := range map[string]struct {
		r   Request
		err string
	}{
		"a program is missing":     {Request{}, `stage1 "nspawn" needs no-such-program-1, which is not installed`},
		"no such flavour":          {Request{Name: "kvm"}, `no stage1 "kvm" in ` + dir},
		"a name that is a path":    {Request{Name: "../nspawn"}, `"../nspawn" is not the name of a stage1`},
		"a hidden name":            {Request{Name: ".nspawn"}, `is not the name of a stage1`},
		"another contract":         {Request{Name: "old"}, `contract version "0"`},
		"a directory without one":  {Request{Dir: t.TempDir()}, "manifest: no such file"},
		"a file of another kind":   {Request{Name: "odd"}, "neither file, directory nor symbolic link"},
		"an image of another kind": {Request{Image: &image.Image{Kind: image.OCI}}, "stage1 images are ACIs"},
	} {
		t.Run(name, func(t *testing.T) {
			data := t.TempDir()
			tc.r.DataDir, tc.r.SearchDirs = data, []string{dir}
			s, lock, err := Find(t.Context(), tc.r)
			if err == nil || !strings.Contains(err.Error(), tc.err) || lock != nil {
				t.Fatalf("found %v, error %v, want %q", s, err, tc.err)
			}
			if entries, _ := os.ReadDir(Dir(data)); len(entries) != 0 {
				t.Errorf("left behind: %v", entries)
			}
		})
	}
}

func TestADirectoryGivenByARelativePath(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "mine", "")
	t.Chdir(filepath.Join(dir, "mine"))
	s, _ := find(t, Request{DataDir: t.TempDir(), Dir: "."})
	if s.Name != "mine" || !filepath.IsAbs(s.Dir) || !strings.HasPrefix(filepath.Base(s.Dir), "mine-") {
		t.Errorf("%+v", s)
	}
}

func TestTheConfiguredDirectoryIsSearchedFirst(t *testing.T) {
	dirs := SearchDirs("/configured")
	if dirs[0] != "/configured" || dirs[len(dirs)-1] != "/usr/lib/raket/stage1" || len(dirs) != 4 {
		t.Errorf("%v", dirs)
	}
	if slices.Contains(SearchDirs(""), "") {
		t.Errorf("%v", SearchDirs(""))
	}
}

func TestACopyThatIsThereNeedsNoImage(t *testing.T) {
	data := t.TempDir()
	img := image.Image{Kind: image.Appc, ID: digest.FromBytes(bytes.Repeat([]byte("x"), 10))}
	// As an earlier start left it.
	dir := install(t, Dir(data), "image-"+img.ID.Encoded()[:24], "")
	s, _ := find(t, Request{DataDir: data, Image: &img})
	if s.Dir != dir {
		t.Errorf("%+v", s)
	}
	must(t, os.WriteFile(filepath.Join(dir, "manifest"), []byte(strings.Replace(manifest, "REQUIRES", "no-such-program-1", 1)), 0o644))
	if _, _, err := Find(t.Context(), Request{DataDir: data, Image: &img}); err == nil {
		t.Error("found one that needs a program that is missing")
	}
}
