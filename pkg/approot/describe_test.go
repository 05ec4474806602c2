package approot

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
)

func TestAnAppsRootFollowsFromItsSpec(t *testing.T) {
	hosts, resolv := "127.0.0.1 localhost\n", ""
	s := stageabi.Sandbox{Hostname: "web", Hosts: &hosts, ResolvConf: &resolv}
	a := stageabi.App{Name: "nginx", Lowers: []string{"/trees/2", "/trees/1"}}
	spec := &appspec.Spec{Mounts: []appspec.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{Destination: "/host", Type: "bind", Source: "/srv/data", Options: []string{"rbind", "ro"}},
		{Destination: "/shared", Type: "bind", Source: "../../volumes/logs", Options: []string{"bind"}},
		{Destination: "/cache", Type: "bind", Source: "rootfs/cache", Options: []string{"bind"}},
		{Destination: "/other", Type: "bind", Source: "rootfs/cache", Options: []string{"bind"}},
	}}
	want := Root{
		Target: "/pod/apps/nginx/rootfs", Upper: "/pod/apps/nginx/upper", Work: "/pod/apps/nginx/work", Lowers: []string{"/trees/2", "/trees/1"},
		Files: []File{{"/etc/hostname", "web\n"}, {"/etc/hosts", hosts}, {"/etc/resolv.conf", ""}},
		Binds: []Bind{
			{Source: "/srv/data", Target: "/host", ReadOnly: true, Recursive: true},
			{Source: "/pod/volumes/logs", Target: "/shared"},
			{Source: "rootfs/cache", Target: "/cache", Self: true},
			{Source: "/pod/apps/nginx/rootfs/cache", Target: "/other"},
		},
	}
	if diff := cmp.Diff(want, ForApp("/pod", s, a, spec), cmpopts.IgnoreUnexported(Root{})); diff != "" {
		t.Error("(-want +got):\n" + diff)
	}
	s.Hosts, s.ResolvConf = nil, nil
	if diff := cmp.Diff([]File{{"/etc/hostname", "web\n"}}, Files(s)); diff != "" {
		t.Error("files where the image's stay (-want +got):\n" + diff)
	}
}

func TestTheCommonLayerChangesNothingOfTheImages(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("files of other owners need root")
	}
	files := []File{{"/etc/hostname", "web\n"}}
	for _, tc := range []struct {
		name   string
		layers []func(dir string) error // the top one first
		used   bool
	}{
		{name: "no etc anywhere", layers: []func(string) error{func(string) error { return nil }}, used: true},
		{name: "an etc as all have it", layers: []func(string) error{func(d string) error { return os.Mkdir(d+"/etc", 0o755) }}, used: true},
		{name: "an etc of a lower layer", layers: []func(string) error{func(string) error { return nil }, func(d string) error { return os.Mkdir(d+"/etc", 0o700) }}},
		{name: "an etc that an upper layer opened", layers: []func(string) error{
			func(d string) error { return os.Mkdir(d+"/etc", 0o755) }, func(d string) error { return os.Mkdir(d+"/etc", 0o700) }}, used: true},
		{name: "an etc of another's", layers: []func(string) error{func(d string) error {
			if err := os.Mkdir(d+"/etc", 0o755); err != nil {
				return err
			}
			return os.Chown(d+"/etc", 0, 7)
		}}},
		{name: "an etc with a sticky bit", layers: []func(string) error{func(d string) error {
			if err := os.Mkdir(d+"/etc", 0o755); err != nil {
				return err
			}
			return os.Chmod(d+"/etc", 0o755|os.ModeSticky)
		}}},
		{name: "an etc that is a link", layers: []func(string) error{func(d string) error { return os.Symlink("/usr/etc", d+"/etc") }}},
		{name: "an etc that is a file", layers: []func(string) error{func(d string) error { return os.WriteFile(d+"/etc", nil, 0o755) }}},
		{name: "no layers"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			common := filepath.Join(t.TempDir(), "common")
			must(t, WriteCommon(common, files, nil))
			r := Root{Files: files}
			for _, make := range tc.layers {
				dir := t.TempDir()
				must(t, make(dir))
				r.Lowers = append(r.Lowers, dir)
			}
			want := Root{Files: files, Lowers: r.Lowers}
			if tc.used {
				want = Root{Lowers: append([]string{common}, r.Lowers...)}
			}
			must(t, r.UseCommon(common))
			if diff := cmp.Diff(want, r, cmpopts.IgnoreUnexported(Root{})); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
	if err := WriteCommon(t.TempDir(), nil, nil); err == nil {
		t.Error("a layer was made in a directory that was there")
	}
}
