package prepare

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/image"
	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage0/cli/appargs"
)

const (
	web   = "docker://r.example/web_server:1"
	other = "docker://r.example/team/other:2"
)

func TestAnImageOfSeveralAppsIsFetchedOnce(t *testing.T) {
	h := newHost(t)
	h.add(web, nil)
	h.add(other, nil)
	h.prepared(appargs.Pod{Apps: []appargs.App{{Image: web, Name: "a"}, {Image: other}, {Image: web, Name: "b"}}})
	if diff := cmp.Diff([]string{web, other}, h.asked); diff != "" {
		t.Error("fetched (-want +got):\n" + diff)
	}
}

func TestAPreparedPodIsComplete(t *testing.T) {
	h := newHost(t)
	h.add(web, map[string]any{"User": "web", "Env": []string{"A=1"}})
	h.add(other, nil)
	p := h.prepared(appargs.Pod{Apps: []appargs.App{{Image: web}, {Image: other, Name: "second"}}})
	if p.State != pod.Prepared {
		t.Errorf("it is %s", p.State)
	}
	must(t, p.Lock(), p.Close())
	s, err := p.Sandbox()
	must(t, err)
	want := stageabi.Sandbox{
		UUID: string(p.UUID), Created: time.Unix(1700000000, 0).UTC(), Hostname: p.UUID.MachineName(),
		Network: stageabi.Network{Mode: stageabi.NetHost}, ExitPolicy: stageabi.ExitAnyFailed, Log: stageabi.LogAuto,
		Stage1: stageabi.Stage1{Name: "fake", Dir: "/stage1", Entrypoints: map[stageabi.Entrypoint]string{stageabi.Run: "run"}},
	}
	for i, a := range []struct{ name, image string }{{"web-server", web}, {"second", other}} {
		id := h.named[a.image].ID.String()
		want.Apps = append(want.Apps, stageabi.App{Name: a.name, Image: a.image, ImageID: id, PrintID: id, Lowers: s.Apps[i].Lowers})
		if len(s.Apps[i].Lowers) != 2 {
			t.Errorf("layers of %s: %v", a.name, s.Apps[i].Lowers)
		}
		text, err := os.ReadFile(filepath.Join(s.Apps[i].Lowers[0], "name"))
		if err != nil || string(text) != a.image {
			t.Errorf("on top of %s: %q, %v", a.name, text, err)
		}
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error("sandbox (-want +got):\n" + diff)
	}
	app := spec(t, p, "web-server")
	if diff := cmp.Diff(appspec.User{UID: 33, GID: 44, AdditionalGids: []uint32{55}}, app.Process.User); diff != "" {
		t.Error("user (-want +got):\n" + diff)
	}
	text, err := p.Manifest()
	must(t, err)
	m, err := podmanifest.Parse(text)
	must(t, err)
	if len(m.Apps) != 2 || podmanifest.Digest(&m.Apps[1]) != h.named[other].ID.String() {
		t.Errorf("manifest %s", text)
	}
	for _, d := range []string{stageabi.UpperDir, stageabi.WorkDir} {
		if entries, err := os.ReadDir(filepath.Join(stageabi.AppPath(p.Dir(), "second"), d)); err != nil || len(entries) != 0 {
			t.Errorf("%s: %v, %v", d, entries, err)
		}
	}
}

func TestACopyNeedsNoLayers(t *testing.T) {
	h := newHost(t)
	h.add(web, map[string]any{"User": "web"})
	// Twice: what is known of an image is read once.
	p := h.prepared(appargs.Pod{NoOverlay: true, Apps: []appargs.App{{Image: web, Name: "a"}, {Image: web, Name: "b"}}})
	s, err := p.Sandbox()
	must(t, err)
	for _, a := range s.Apps {
		text, err := os.ReadFile(filepath.Join(stageabi.AppPath(p.Dir(), a.Name), stageabi.RootfsDir, "name"))
		if err != nil || string(text) != web || a.Lowers != nil {
			t.Errorf("%s: %q, %v; layers %v", a.Name, text, err, a.Lowers)
		}
		if uid := spec(t, p, a.Name).Process.User.UID; uid != 33 {
			t.Errorf("%s runs as %d", a.Name, uid)
		}
	}
}

func TestAFailureLeavesNothing(t *testing.T) {
	h := newHost(t)
	h.add(web, nil)
	h.add(other, map[string]any{"Cmd": nil})
	dir := t.TempDir()
	file := func(name, text string) string {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
		return filepath.Join(dir, name)
	}
	one := func(o appspec.Override) appargs.Pod {
		return appargs.Pod{Apps: []appargs.App{{Image: web}, {Image: web, Name: "last", Override: o}}}
	}
	mount := []podmanifest.MountFlag{{Volume: "v", Target: "/v"}}
	for name, tc := range map[string]struct {
		pod appargs.Pod
		err string
	}{
		"an image that is not to be had": {appargs.Pod{Apps: []appargs.App{{Image: web}, {Image: "x"}}}, `image "x": not to be had`},
		"two apps of one name":           {appargs.Pod{Apps: []appargs.App{{Image: web}, {Image: web}}}, "both make an app named web-server: name one of them with --name"},
		"no command":                     {appargs.Pod{Apps: []appargs.App{{Image: other}}}, "say what to execute with --exec"},
		"a command that is not there":    {one(appspec.Override{Exec: []string{"/bin/none"}}), `app last: exec "/bin/none" not found`},
		"a command that is text":         {one(appspec.Override{Exec: []string{"/bin/text"}}), `app last: exec "/bin/text" not found`},
		"a user that is not there":       {one(appspec.Override{User: "nobody-here"}), "app last: "},
		"a volume that is not there":     {appargs.Pod{Apps: []appargs.App{{Image: web, Mounts: mount}}}, `no volume "v"`},
		"a source that is not there": {appargs.Pod{Volumes: []podmanifest.Volume{volume(t, "v,kind=host,source=/nowhere")}, Apps: []appargs.App{{Image: web, Mounts: mount}}},
			"volume v: source: stat /nowhere"},
		"a manifest that is not there": {appargs.Pod{Manifest: dir + "/none"}, "read pod manifest: "},
		"a manifest that is none":      {appargs.Pod{Manifest: file("none.json", "{}")}, "pod manifest "},
		"a manifest without bounds":    {appargs.Pod{Manifest: file("big.json", strings.Repeat(" ", 5<<20))}, "more than 4194304 bytes"},
		"a directory for a manifest":   {appargs.Pod{Manifest: dir}, "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			uuid, err := h.prepare(tc.pod)
			if err == nil || !strings.Contains(err.Error(), tc.err) || uuid != "" {
				t.Errorf("pod %q, error %v, want %q", uuid, err, tc.err)
			}
			pods, err := h.pods.List()
			must(t, err)
			if len(pods) != 0 {
				t.Errorf("left behind: %s in %s", pods[0].State, pods[0].Dir())
			}
		})
	}
	t.Run("a command that has been given up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		fetch := func(ctx context.Context, _, _ string) (image.Image, error) { return image.Image{}, ctx.Err() }
		if _, err := Prepare(ctx, Request{Pods: h.pods, Images: h.images, Fetch: fetch, Pod: appargs.Pod{Apps: []appargs.App{{Image: web}}}}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	// The images are not held either.
	must(t, h.images.Remove(h.named[web], nil))
}

func TestVolumes(t *testing.T) {
	h := newHost(t)
	h.add(web, map[string]any{"Volumes": map[string]any{"/data": struct{}{}, "/named": struct{}{}}})
	source := t.TempDir()
	p := h.prepared(appargs.Pod{
		Volumes: []podmanifest.Volume{volume(t, "logs,kind=empty,mode=1750,uid=33,gid=44"), volume(t, "host,kind=host,source="+source+",readOnly=true")},
		Apps: []appargs.App{
			{Image: web, Name: "a", Mounts: []podmanifest.MountFlag{{Volume: "logs", Target: "/var/log"}, {Volume: "host", Target: "/host"}, {Volume: "logs", Target: "/named"}}},
			{Image: web, Name: "b", Mounts: []podmanifest.MountFlag{{Volume: "logs", Target: "/logs"}}},
		},
	})
	binds := func(app string) map[string]string {
		found := map[string]string{}
		for _, m := range spec(t, p, app).Mounts {
			if m.Type == "bind" {
				found[m.Destination] = m.Source + " " + strings.Join(m.Options, ",")
			}
		}
		return found
	}
	want := map[string]string{
		"/data": "rootfs/data bind,rprivate", "/named": "../../volumes/logs bind,rprivate", "/var/log": "../../volumes/logs bind,rprivate",
		"/host": source + " rbind,rprivate,ro",
	}
	if diff := cmp.Diff(want, binds("a")); diff != "" {
		t.Error("a (-want +got):\n" + diff)
	}
	want = map[string]string{"/data": "rootfs/data bind,rprivate", "/named": "rootfs/named bind,rprivate", "/logs": "../../volumes/logs bind,rprivate"}
	if diff := cmp.Diff(want, binds("b")); diff != "" {
		t.Error("b (-want +got):\n" + diff)
	}
	st, err := os.Stat(filepath.Join(p.Dir(), stageabi.VolumesDir, "logs"))
	must(t, err)
	sys := st.Sys().(*syscall.Stat_t)
	if st.Mode() != os.ModeDir|os.ModeSticky|0o750 || sys.Uid != 33 || sys.Gid != 44 {
		t.Errorf("mode %v, owner %d:%d", st.Mode(), sys.Uid, sys.Gid)
	}
}

func TestAPodManifest(t *testing.T) {
	h := newHost(t)
	h.add(web, map[string]any{"Env": []string{"A=image"}})
	made := h.prepared(appargs.Pod{Apps: []appargs.App{{Image: web, Name: "first"}}})
	text, err := made.Manifest()
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(text, &m))
	app := m["apps"].([]any)[0].(map[string]any)
	app["name"], app["readOnlyRootFS"] = "again", true
	app["app"] = map[string]any{"exec": []string{"/bin/true", "x y"}, "user": "web", "group": "0", "environment": []any{map[string]any{"name": "A", "value": "manifest"}}}
	text, err = json.Marshal(m)
	must(t, err)
	file := filepath.Join(t.TempDir(), "pod.json")
	must(t, os.WriteFile(file, text, 0o644))
	p := h.prepared(appargs.Pod{Manifest: file})
	s := spec(t, p, "again")
	if diff := cmp.Diff([]string{"/bin/true", "x y"}, s.Process.Args); diff != "" {
		t.Error("command (-want +got):\n" + diff)
	}
	if v, _ := appspec.LookupEnv(s.Process.Env, "A"); v != "manifest" || !s.Root.Readonly || s.Process.User.UID != 33 || s.Process.User.GID != 0 {
		t.Errorf("A=%s, read-only %v, user %+v", v, s.Root.Readonly, s.Process.User)
	}
	sb, err := p.Sandbox()
	must(t, err)
	if len(sb.Apps) != 1 || sb.Apps[0].Name != "again" || sb.Apps[0].Image != web {
		t.Errorf("%+v", sb.Apps)
	}
}

func TestWhatAnAppIsNamedAfter(t *testing.T) {
	img := image.Image{Names: []string{"docker://r.example/kept:1"}}
	for asked, want := range map[string]string{
		"docker://r.example/asked:1":          "docker://r.example/asked:1",
		"r.example/asked":                     "r.example/asked",
		"oci:/some/layout:latest":             img.Name(),
		"sha256:" + strings.Repeat("0", 64):   img.Name(),
		"/some/file.aci":                      img.Name(),
		"docker-archive:/some/file.tar":       img.Name(),
		"sha512-" + strings.Repeat("0", 64):   img.Name(),
		"docker://r.example/x@sha256:" + "zz": img.Name(),
	} {
		if got := nameSource(asked, img); got != want {
			t.Errorf("%s: %s, want %s", asked, got, want)
		}
	}
}
