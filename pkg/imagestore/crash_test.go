package imagestore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/imagestore/imagetest"
)

// TestMain lets the test binary be a process of its own that is killed:
//
//	store-child STORE OUT VERB STEP
//
// does the verb with the image r.example/app:1 and kills itself at the given step, if
// there are that many.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "store-child" {
		if err := storeChild(os.Args[2], os.Args[3], os.Args[4], os.Args[5]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const victim = "docker://r.example/app:1"

// verbs change the store at s or make the file or directory out.
func verbs() map[string]func(s *imagestore.Store, img image.Image, out string) error {
	ctx := context.Background()
	return map[string]func(s *imagestore.Store, img image.Image, out string) error{
		"rm": func(s *imagestore.Store, img image.Image, _ string) error { return s.Remove(img, nil) },
		"rm name": func(s *imagestore.Store, _ image.Image, _ string) error {
			_, err := s.RemoveName(victim, nil)
			return err
		},
		"gc": func(s *imagestore.Store, _ image.Image, _ string) error {
			_, err := s.GC(imagestore.GCOptions{})
			return err
		},
		"repair": func(s *imagestore.Store, img image.Image, _ string) error {
			_, err := s.Check(ctx, img, imagestore.CheckOptions{Repair: true})
			return err
		},
		"export": func(s *imagestore.Store, img image.Image, out string) error {
			return s.Export(ctx, img, out, imagestore.ExportOptions{Overwrite: true})
		},
		"export oci-dir": func(s *imagestore.Store, img image.Image, out string) error {
			return s.Export(ctx, img, out, imagestore.ExportOptions{Format: imagestore.OCIDir, Overwrite: true})
		},
		"extract": func(s *imagestore.Store, img image.Image, out string) error {
			return s.Extract(ctx, img, out, imagestore.ExtractOptions{Overwrite: true})
		},
	}
}

func storeChild(dir, out, verb, step string) error {
	last, err := strconv.Atoi(step)
	if err != nil {
		return err
	}
	steps := 0
	s, err := imagestore.OpenWith(dir, imagestore.Options{OnStep: func(string) {
		if steps == last {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // until the signal comes
		}
		steps++
	}})
	if err != nil {
		return err
	}
	ref, err := image.Parse(victim)
	if err != nil {
		return err
	}
	img, err := s.Lookup(ref)
	if err != nil {
		return err
	}
	return verbs()[verb](s, img, out)
}

func wasKilled(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	st, ok := exit.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// TestKilledAtEveryStep: whatever is visible afterwards is whole, the verb can be
// done again, and nothing is left in the end.
func TestKilledAtEveryStep(t *testing.T) {
	needRoot(t)
	fresh := t.TempDir()
	_, err := imagestore.Open(fresh)
	must(t, err)
	empty := namesIn(t, fresh)
	for verb, do := range verbs() {
		t.Run(verb, func(t *testing.T) {
			for step := 0; ; step++ {
				dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
				s, err := imagestore.Open(dir)
				must(t, err)
				img := everything(t).Add(t, s, victim)
				other := imagetest.New(t, []imagetest.File{{Name: "f"}}).Add(t, s, "docker://r.example/other:1")
				before := prepare(t, verb, dir, out, img)
				child := exec.CommandContext(t.Context(), os.Args[0], "store-child", dir, out, verb, strconv.Itoa(step))
				output, err := child.CombinedOutput()
				if err == nil {
					if step < 2 {
						t.Errorf("only %d steps", step)
					}
					t.Logf("killed at each of %d steps", step)
					return
				}
				if !wasKilled(err) {
					t.Fatalf("step %d: %v: %s", step, err, output)
				}
				if verb != "repair" {
					checkImages(t, s)
				}
				if got := namesIn(t, out); before != nil && !cmp.Equal(before, got) {
					checkWritten(t, verb, step, got)
				}
				// Nothing stands in the way of doing it again.
				if img, err := s.Lookup(parse(t, victim)); err == nil {
					if err := do(s, img, out); err != nil {
						t.Errorf("again after step %d: %v", step, err)
					}
				} else if !errors.Is(err, imagestore.ErrNotFound) {
					t.Error(err)
				}
				checkImages(t, s)
				if verb != "gc" {
					must(t, s.Verify(t.Context(), other))
				}
				for _, left := range namesIn(t, filepath.Dir(out)) {
					if strings.Contains(left, "raket-partial") {
						t.Errorf("step %d: %s is left", step, left)
					}
				}
				_, err = s.GC(imagestore.GCOptions{})
				must(t, err)
				after := slices.DeleteFunc(namesIn(t, dir), func(name string) bool {
					return name == "/images/index.json" || strings.HasPrefix(name, "/images/records/.list")
				})
				if diff := cmp.Diff(empty, after); diff != "" {
					t.Errorf("step %d left behind (-want +got):\n%s", step, diff)
				}
			}
		})
	}
}

// prepare makes what a verb is to change, and lists it where it is to be replaced as
// a whole.
func prepare(t *testing.T, verb, dir, out string, img image.Image) []string {
	t.Helper()
	switch verb {
	case "repair":
		must(t, os.WriteFile(treeOf(dir, img, 0)+"/etc/passwd", nil, 0))
		must(t, os.WriteFile(treeOf(dir, img, 1)+"/etc/new", nil, 0))
	case "export":
		must(t, os.WriteFile(out, []byte("old"), 0o600))
	case "export oci-dir", "extract":
		must(t, os.Mkdir(out, 0o755))
		must(t, os.WriteFile(out+"/oci-layout", nil, 0o600))
		return namesIn(t, out)
	}
	return nil
}

// checkWritten expects what a verb writes to be complete.
func checkWritten(t *testing.T, verb string, step int, got []string) {
	t.Helper()
	want := map[string]int{"export oci-dir": 9, "extract": 16}[verb]
	if len(got) != want {
		t.Errorf("step %d of %s: half of it is to be seen: %q", step, verb, got)
	}
}

func checkImages(t *testing.T, s *imagestore.Store) {
	t.Helper()
	images, err := s.List()
	must(t, err)
	for _, img := range images {
		if err := s.Verify(t.Context(), img); err != nil {
			t.Error(err)
		}
	}
}

// namesIn lists names below dir; none where there is no directory.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		names = append(names, strings.TrimPrefix(path, dir))
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}
