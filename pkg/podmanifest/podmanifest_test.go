package podmanifest_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podport"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func volumes(t *testing.T, flags ...string) []podmanifest.Volume {
	t.Helper()
	var list []podmanifest.Volume
	for _, f := range flags {
		v, err := podmanifest.ParseVolume(f)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, *v)
	}
	return list
}

func webPod(t *testing.T) *podmanifest.Manifest {
	t.Helper()
	port, err := podmanifest.NewPort(podport.Flag{Name: "80-tcp", HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: 8080})
	if err != nil {
		t.Fatal(err)
	}
	m, err := podmanifest.New(podmanifest.Config{
		Apps: []podmanifest.AppConfig{
			{
				Name: "nginx", Image: "docker://localhost:5000/library/nginx:1.28", Labels: map[string]string{"version": "1.28", "os": "linux"},
				ImageID: "sha256:1bb35e8b4de1e2c1f1c9c8b8a6a1ac6bb50a8a4fd2f8ec1f5f2c1d0b5bdfb7a0",
				Mounts:  []podmanifest.MountFlag{{Volume: "logs", Target: "/var/log/nginx"}}, ReadonlyRootfs: true,
			},
			{
				Name: "reloader", Image: "example.com/reloader", ImageID: "sha512-" + strings.Repeat("0f", 64),
				Annotations: map[string]string{"example.com/b": "2", "example.com/a": "1"},
				App:         []byte(`{"exec":["/bin/reloader"],"user":"0","group":"0","isolators":[{"name":"resource/memory","value":{"limit":"64M"}}]}`),
			},
		},
		Volumes:         volumes(t, "logs,kind=empty,mode=0750,uid=101", "conf,kind=host,source=/etc/web,readOnly=true,recursive=false"),
		Ports:           []podmanifest.Port{port},
		Annotations:     map[string]string{"example.com/owner": "me"},
		UserAnnotations: map[string]string{"Note": "x", "note": "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAPodIsWrittenAsRktWroteIt(t *testing.T) {
	text, err := podmanifest.Marshal(webPod(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "web.json")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Error("manifest (-want +got):\n" + diff)
	}
	m, err := podmanifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := podmanifest.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(again)); diff != "" {
		t.Error("read and written again (-first +second):\n" + diff)
	}
	if got := podmanifest.Digest(&m.Apps[0]); !strings.HasPrefix(got, "sha256:1bb3") {
		t.Errorf("digest %s", got)
	}
	section, err := podmanifest.AppSection(&m.Apps[1])
	if err != nil {
		t.Fatal(err)
	}
	if a, err := appspec.FromAppcApp(section); err != nil || a.Entrypoint[0] != "/bin/reloader" {
		t.Errorf("app section %s: %v", section, err)
	}
}

func TestBadManifestsAreRefusedWithTheirPath(t *testing.T) {
	pod := func(s string) string { return `{"acKind":"PodManifest","acVersion":"0.8.11",` + s + `}` }
	app := func(s string) string {
		return pod(`"apps":[{"name":"a","image":{"id":"sha512-0f"}},{"name":"b","image":{"id":"sha512-0f"},` + s + `}]`)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"not JSON":                      {"{", "unexpected end"},
		"an image manifest":             {`{"acKind":"ImageManifest"}`, "acKind"},
		"no version":                    {`{"acKind":"PodManifest"}`, "acVersion"},
		"two apps of a name":            {pod(`"apps":[{"name":"a","image":{"id":"sha512-0f"}},{"name":"a","image":{"id":"sha512-0f"}}]`), `duplicate apps of name "a"`},
		"an app without an image":       {pod(`"apps":[{"name":"a"}]`), "apps[0].image.id"},
		"an app with a bad name":        {pod(`"apps":[{"name":"A\n","image":{"id":"sha512-0f"}}]`), "apps[0]"},
		"an app with a long name":       {pod(`"apps":[{"name":"` + strings.Repeat("a", 300) + `","image":{"id":"sha512-0f"}}]`), "apps[0].name"},
		"an app section without a user": {app(`"app":{"exec":["/a"]}`), "apps[1].app.user"},
		"an isolator without a value":   {app(`"app":{"exec":["/a"],"user":"0","group":"0","isolators":[{"name":"os/linux/no-new-privileges"}]}`), "apps[1].app.isolators[0]"},
		"a pod isolator without one":    {pod(`"isolators":[{"name":"resource/memory"}]`), "isolators[0]"},
		"a hidden isolator":             {pod(`"isolators":[{"name":"resource/memory"}],"Isolators":[]`), "Isolators: a second time"},
		"a mount without a volume":      {app(`"mounts":[{"path":"/a"}]`), "apps[1].mounts[0].volume"},
		"a port without a name":         {pod(`"ports":[{"hostPort":1}]`), "ports[0].name"},
		"not UTF-8":                     {pod("\"x\":\"\xff\""), "not UTF-8"},
		"a mount that climbs":           {app(`"mounts":[{"volume":"v","path":"/a/../.."}]`), "apps[1].mounts[0].path"},
		"a mount of the root":           {app(`"mounts":[{"volume":"v","path":"//"}]`), "apps[1].mounts[0].path"},
		"a volume of another kind":      {pod(`"volumes":[{"name":"v","kind":"nfs"}]`), "volumes[0]"},
		"a volume with a bad mode":      {pod(`"volumes":[{"name":"v","kind":"empty","mode":"9"}]`), "volumes[0]: mode"},
		"a volume from a relative path": {pod(`"volumes":[{"name":"v","kind":"host","source":"a"}]`), "volumes[0]"},
		"a port out of range":           {pod(`"ports":[{"name":"p","hostPort":70000}]`), "ports[0]"},
		"a list in place of an object":  {pod(`"apps":[[]]`), "apps[0]"},
		"too deep":                      {pod(`"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)), "levels deep"},
		"too big":                       {strings.Repeat(" ", podmanifest.MaxBytes+1), "at most"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := podmanifest.Parse([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestFlagsAreReadAsRktReadThem(t *testing.T) {
	for _, s := range []string{
		"v,kind=host,source=/x", "v,kind=host,source=/x y=z,readOnly=true,recursive=false", "v,kind=empty", "v,kind=empty,mode=0700,uid=1,gid=2",
	} {
		v, err := podmanifest.ParseVolume(s)
		if err != nil {
			t.Error(err)
		} else if v.String() != s {
			t.Errorf("volume %q became %q", s, v)
		}
	}
	for _, s := range []string{
		"", "v", "V,kind=empty", "v,kind=nfs", "v,kind=host", "v,kind=host,source=x", "v,kind=host,source=/x/../y", "v,kind=host,source=/a\nb",
		"v,kind=empty,mode=888", "v,kind=empty,uid=-1", "v,kind=empty,uid=4294967295", "v,kind=empty,source=/x", "v,kind=empty,color=red", "v,kind=empty,kind=host",
	} {
		if v, err := podmanifest.ParseVolume(s); err == nil {
			t.Errorf("volume %q became %q", s, v)
		} else if !strings.Contains(err.Error(), "volume") {
			t.Errorf("error %v", err)
		}
	}
	if m, err := podmanifest.ParseMount("volume=v,target=/a"); err != nil || m != (podmanifest.MountFlag{Volume: "v", Target: "/a"}) {
		t.Errorf("mount %v, %v", m, err)
	}
	for _, s := range []string{"", "volume=v", "target=/a", "volume=v,target=a", "volume=v,target=/", "volume=V,target=/a", "volume=v,target=/a,x=y", "volume=v,volume=w,target=/a"} {
		if m, err := podmanifest.ParseMount(s); err == nil {
			t.Errorf("mount %q became %v", s, m)
		}
	}
}

func TestPublishedPortsGoRound(t *testing.T) {
	for _, text := range []string{"http:8080", "http:10.0.0.1:80", "http:[::1]:80", "8080:80/tcp", "[fd00::1]:53:5353/udp", "8000-8010:9000-9010/sctp", "80", "[::1]::53/udp", "http", "http:[::1]:"} {
		want, err := podport.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := podmanifest.NewPort(want)
		if err != nil {
			t.Fatal(err)
		}
		got := podmanifest.PortFlag(p)
		if want.Name == "" {
			want.Name = fmt.Sprintf("%d-%s", want.HostPort, want.Protocol) // appc wants one
			if want.HostPort == 0 {
				want.Name = fmt.Sprintf("%d-%s", want.PodPort, want.Protocol)
			}
		}
		if got != want {
			t.Errorf("%s became %+v", text, got)
		}
	}
}

func TestPortsOfAManifest(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"a","hostPort":80,"podPort":{"name":"a","protocol":"tcp","port":8080}}`:            "",
		`{"name":"a","hostPort":80,"hostIP":"::1"}`:                                                 "",
		`{"name":"a","hostPort":0}`:                                                                 "",
		`{"name":"a","hostPort":70000}`:                                                             "ports[0]: hostPort: 70000 is not 1 to 65535",
		`{"name":"a","hostPort":80,"podPort":{"name":"a","protocol":"tcp","port":70000}}`:           "ports[0]: ",
		`{"name":"a","hostPort":80,"podPort":{"name":"a","protocol":"icmp","port":80}}`:             "ports[0]: podPort.protocol",
		`{"name":"a","hostPort":80,"podPort":{"name":"a","protocol":"tcp","port":65530,"count":7}}`: "ports[0]: ",
		`{"name":"a","hostPort":65530,"podPort":{"name":"a","protocol":"tcp","port":80,"count":7}}`: "ports[0]: podPort.count: 7 ports end beyond 65535",
	} {
		_, err := podmanifest.Parse([]byte(`{"acKind":"PodManifest","acVersion":"0.8.11","apps":[],"ports":[` + text + `]}`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestMountsOfAnApp(t *testing.T) {
	m := webPod(t)
	got, err := podmanifest.Mounts(m, "nginx", []appspec.MountPoint{
		{Name: "conf", Path: "/etc/nginx/conf.d"},
		{Name: "volume-var-cache", Path: "/var/cache"},
		{Name: "volume-var-log-nginx", Path: "/var/log/nginx", ReadOnly: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []podmanifest.Mount{
		{Volume: "conf", Kind: podmanifest.KindHost, Source: "/etc/web", Target: "/etc/nginx/conf.d", ReadOnly: true},
		{Volume: "nginx-volume-var-cache", Kind: podmanifest.KindEmpty, Target: "/var/cache", Mode: 0o755, Implicit: true},
		{Volume: "logs", Kind: podmanifest.KindEmpty, Target: "/var/log/nginx", Mode: 0o750, UID: 101, ReadOnly: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("mounts (-want +got):\n" + diff)
	}
	if _, err := podmanifest.Mounts(m, "nope", nil); err == nil {
		t.Error("an app that is not there")
	}
	m.Apps[0].Mounts[0].Volume = "nope"
	if _, err := podmanifest.Mounts(m, "nginx", nil); err == nil || !strings.Contains(err.Error(), `no volume "nope"`) {
		t.Errorf("error %v", err)
	}
	m = webPod(t)
	m.Apps[0].Mounts = append(m.Apps[0].Mounts, m.Apps[0].Mounts[0])
	if _, err := podmanifest.Mounts(m, "nginx", nil); err == nil || !strings.Contains(err.Error(), "two mounts") {
		t.Errorf("error %v", err)
	}
	parent := []appspec.MountPoint{{Name: "b", Path: "/a/b"}, {Name: "c", Path: "/a-c"}, {Name: "a", Path: "/a"}}
	got, err = podmanifest.Mounts(webPod(t), "reloader", parent)
	if err != nil || got[0].Target != "/a" {
		t.Errorf("the outer mount is not first: %v, %v", got, err)
	}
}

func TestAppsAreNamedAfterTheirImage(t *testing.T) {
	for image, want := range map[string]string{
		"docker://quay.io/coreos/Etcd:v3": "etcd", "localhost:5000/a_b@sha256:00": "a-b", "busybox": "busybox", "docker://_:1": "", "/": "",
	} {
		if got, err := podmanifest.SanitizeName(image); got != want || (err == nil) != (want != "") {
			t.Errorf("SanitizeName(%q) = %q, %v; want %q", image, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	web, err := os.ReadFile(filepath.Join("testdata", "web.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(web)
	f.Add([]byte(`{"acKind":"PodManifest","acVersion":"0.8.11","isolators":[{"name":"resource/memory","value":{"limit":"1e9999999"}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := podmanifest.Parse(text)
		if err != nil {
			return
		}
		out, err := podmanifest.Marshal(m)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		back, err := podmanifest.Parse(out)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		again, err := podmanifest.Marshal(back)
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("%v\n%s\n%s", err, out, again)
		}
	})
}

func FuzzFlags(f *testing.F) {
	f.Add("v,kind=host,source=/x,readOnly=true")
	f.Add("volume=v,target=/a")
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := podmanifest.ParseVolume(s); err == nil {
			back, err := podmanifest.ParseVolume(v.String())
			if err != nil || cmp.Diff(v, back) != "" {
				t.Errorf("%q became %q: %v", s, v, err)
			}
		}
		if m, err := podmanifest.ParseMount(s); err == nil && "volume="+m.Volume+",target="+m.Target != s && "target="+m.Target+",volume="+m.Volume != s {
			t.Errorf("%q became %v", s, m)
		}
	})
}
