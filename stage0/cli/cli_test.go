package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/stage0/cli/appargs"
)

// The scripts in testdata/script run raket and rkt with services that read pods
// and images from files and write down what they are asked: $FAKE/pods.json,
// $FAKE/images.json and $FAKE/calls. The program realraket has the real
// services.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"raket":     func() { os.Exit(mainWithFakes()) },
		"rkt":       func() { os.Exit(mainWithFakes()) },
		"realraket": func() { os.Exit(Main(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

var update = flag.Bool("update", false, "rewrite the goldens in the scripts")

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FAKE", env.WorkDir)
			env.Setenv("TZ", "UTC")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": exitStatus},
	})
}

// exitStatus is the script command "status N COMMAND...": the command must exit
// with N.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARGS...]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		_, got, _ = strings.Cut(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

func mainWithFakes() int {
	f := &fakes{dir: os.Getenv("FAKE")}
	now := func() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }
	return run(context.Background(), os.Args, &env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		terminal: os.Getenv("FAKE_TERMINAL") != "", now: now, services: f.services(),
	})
}

// fakes are all services.
type fakes struct {
	dir      string
	settings settings
}

func (f *fakes) services() services {
	return services{
		trusted:     func(s settings) (trustedKeys, error) { f.settings = s; return openKeystore(s), nil },
		web:         fake[keyWeb](f, fakeWeb{f}),
		fetcher:     fake[fetcher](f, f),
		images:      fake[imageStore](f, fakeImages{f}),
		imageKeeper: fake[imageKeeper](f, fakeImages{f}),
		imageFiles:  fake[imageFiles](f, fakeImages{f}),
		pods:        fake[podStore](f, f.podStore()),
		preparer:    fake[preparer](f, f),
		launcher:    fake[launcher](f, f),
		keeper:      fake[keeper](f, f),
		networks:    fake[networkStore](f, f),
		apps:        fake[appKeeper](f, fakeApps{f}),
	}
}

func fake[T any](f *fakes, service T) func(settings) (T, error) {
	return func(s settings) (T, error) { f.settings = s; return service, nil }
}

// call writes down what was asked. Where there is a file of the verb's name
// with ".error" behind it, its text is the error.
func (f *fakes) call(verb string, request any) error {
	out, err := os.OpenFile(filepath.Join(f.dir, "calls"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(request); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s %s %s", strings.TrimPrefix(f.settings.DataDir, f.dir+"/"), verb, text.Bytes()); err != nil {
		return err
	}
	if why, err := os.ReadFile(filepath.Join(f.dir, verb+".error")); err == nil {
		return fmt.Errorf("ask the %s: %w", verb, errors.New(strings.TrimSpace(string(why))))
	}
	return nil
}

func load[T any](f *fakes, name string) (v T, err error) {
	raw, err := os.ReadFile(filepath.Join(f.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return v, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &v)
	}
	return v, err
}

func (f *fakes) NetworkReady(_ context.Context, name string) error {
	return f.call("network-ready", name)
}

func (f *fakes) Networks(context.Context) ([]networkInfo, error) {
	return load[[]networkInfo](f, "networks.json")
}

func (f *fakes) Fetch(_ context.Context, r fetchRequest) (image.Image, error) {
	if err := f.call("fetch", r); err != nil {
		return image.Image{}, err
	}
	return fakeImages{f}.Find(context.Background(), r.Name)
}

func (f *fakes) Prepare(_ context.Context, p appargs.Pod, keep bool) (string, error) {
	for i := range p.Apps {
		if p.InheritEnv {
			p.Apps[i].Override.InheritEnv = []string{"INHERITED"}
		}
	}
	verb := "prepare"
	if keep {
		verb = "prepare-to-keep"
	}
	return "6f8e1c52-0000-4000-8000-000000000001", f.call(verb, p)
}

func (f *fakes) Run(_ context.Context, r runRequest) error {
	err := f.call("run", r)
	if err == nil {
		return exitWith(7)
	}
	return err
}

func (f *fakes) Enter(_ context.Context, r enterRequest) error {
	err := f.call("enter", r)
	if err == nil {
		return exitWith(3)
	}
	return err
}

func (f *fakes) Attach(_ context.Context, r attachRequest) error {
	err := f.call("attach", r)
	if err == nil {
		return exitWith(5)
	}
	return err
}

func (f *fakes) Copy(_ context.Context, r copyRequest) error {
	r.Local = strings.TrimPrefix(r.Local, f.dir)
	return f.call("cp", r)
}

func (f *fakes) Logs(_ context.Context, r logsRequest, w io.Writer) error {
	if err := f.call("logs", r); err != nil {
		return err
	}
	_, err := io.WriteString(w, "a line\n")
	return err
}

func (f *fakes) Stop(_ context.Context, uuid string, force bool) error {
	return f.call("stop", []any{uuid, force})
}

func (f *fakes) Verify(_ context.Context, uuid string) error { return f.call("verify", uuid) }

func (f *fakes) Remove(_ context.Context, uuid string) error { return f.call("rm", uuid) }

func (f *fakes) Collect(_ context.Context, r collectRequest) (collected, error) {
	return collected{Marked: []string{"b", "a"}, Removed: []string{"c"}}, f.call("gc", r)
}

type fakeApps struct{ f *fakes }

func (s fakeApps) Add(_ context.Context, r addRequest) (string, error) {
	return "web", s.f.call("app-add", r)
}

func (s fakeApps) Control(_ context.Context, r controlRequest) error {
	return s.f.call("app-control", r)
}

func (s fakeApps) Spec(_ context.Context, uuid, app string) ([]byte, error) {
	return []byte("{\"ociVersion\": \"1.0.2\"}\n"), s.f.call("app-spec", []string{uuid, app})
}

type fakePods struct{ f *fakes }

func (f *fakes) podStore() podStore { return fakePods{f} }

// List fails where the file pods.error says so, beside what it lists.
func (s fakePods) List(context.Context) ([]pod, error) {
	pods, err := load[[]pod](s.f, "pods.json")
	if why, noFile := os.ReadFile(filepath.Join(s.f.dir, "pods.error")); noFile == nil {
		err = errors.New(strings.TrimSpace(string(why)))
	}
	return pods, err
}

// Find shows the pods of pods.json at the first look, and those of later.json, where
// there is one, at the next.
func (s fakePods) Find(_ context.Context, uuid string) (pod, error) {
	pods, err := load[[]pod](s.f, "pods.json")
	if err != nil {
		return pod{}, err
	}
	if later := filepath.Join(s.f.dir, "later.json"); err == nil {
		err = os.Rename(later, filepath.Join(s.f.dir, "pods.json"))
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	}
	for _, p := range pods {
		if strings.HasPrefix(p.UUID, uuid) {
			return p, err
		}
	}
	return pod{}, &fault{err: fmt.Errorf("no pod %q", uuid), hint: "raket list"}
}

func (s fakePods) Look(ctx context.Context, uuid string) (pod, error) { return s.Find(ctx, uuid) }

func (s fakePods) Manifest(_ context.Context, uuid string) ([]byte, error) {
	return []byte(`{"acKind": "PodManifest",  "uuid": "` + uuid + `"}`), nil
}

type fakeImages struct{ f *fakes }

func (s fakeImages) List(context.Context) ([]image.Image, error) {
	return load[[]image.Image](s.f, "images.json")
}

func (s fakeImages) Find(ctx context.Context, name string) (image.Image, error) {
	images, err := s.List(ctx)
	if err != nil {
		return image.Image{}, err
	}
	for _, img := range images {
		if img.Name() == name || img.MatchesID(name) {
			return img, nil
		}
	}
	return image.Image{}, errors.New("not in the store")
}

func (s fakeImages) Config(_ context.Context, img image.Image) ([]byte, error) {
	return []byte(`{"os": "linux"}`), nil
}

// Place has the ACIs in a read-only store.
func (s fakeImages) Place(img image.Image) string {
	if img.Kind == image.Appc {
		return "/usr/lib/raket/store"
	}
	return ""
}

// Remove takes a name from an image that has two.
func (s fakeImages) Remove(ctx context.Context, name string, whole bool) (removedImage, error) {
	img, err := s.Find(ctx, name)
	if err != nil {
		return removedImage{}, err
	}
	done := removedImage{Image: img}
	if len(img.Names) > 1 && !whole && img.Name() == name {
		done.Name = name
	}
	return done, s.f.call("image-rm", []any{name, whole})
}

func (s fakeImages) Collect(ctx context.Context, q collectImages) (collectedImages, error) {
	images, err := s.List(ctx)
	done := collectedImages{Images: images, Deferred: q.DryRun && q.Grace == 0}
	for _, img := range images {
		done.FreedBytes += img.SizeBytes
	}
	return done, errors.Join(err, s.f.call("image-gc", q))
}

// Verify finds what the file verify.json has for the image's ID.
func (s fakeImages) Verify(_ context.Context, img image.Image, repair bool) (verifiedImage, error) {
	found, err := load[map[string]verifiedImage](s.f, "verify.json")
	v, bad := found[img.ID.String()]
	v.Whole = !bad || repair && v.Unchecked == ""
	return v, errors.Join(err, s.f.call("image-verify", []any{img.ID, repair}))
}

func (s fakeImages) Export(_ context.Context, r exportRequest) error {
	return s.f.call("image-export", r)
}

func (s fakeImages) Extract(_ context.Context, r extractRequest) error {
	return s.f.call("image-extract", r)
}

func (s fakeImages) Import(ctx context.Context, r importRequest, each func(image.Image) error) error {
	images, err := s.List(ctx)
	if err = errors.Join(err, s.f.call("image-import", r)); err != nil {
		return err
	}
	for _, img := range images {
		if err := each(img); err != nil {
			return err
		}
	}
	return nil
}
