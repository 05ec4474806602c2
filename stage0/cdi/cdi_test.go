package cdi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/stage0/cdi"
)

const gpu = `cdiVersion: 0.6.0
kind: vendor.com/gpu
containerEdits:
  env: [VENDOR=1]
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/gpu0, hostPath: /dev/null, permissions: rw, fileMode: 0o640}
    mounts:
    - {hostPath: /usr/lib, containerPath: /vendor, options: [ro, nosuid, rbind]}
    additionalGids: [44]
- name: hooked
  containerEdits:
    hooks: [{hookName: createContainer, path: /usr/bin/vendor-hook}]
- name: shared
  containerEdits:
    netDevices: [{hostInterfaceName: eth1, name: eth1}]
`

func TestFind(t *testing.T) {
	mode := uint32(0o640)
	want := cdi.Device{
		Nodes:  []cdi.Node{{Path: "/dev/gpu0", HostPath: "/dev/null", Permissions: "rw", FileMode: &mode}},
		Mounts: []cdi.Mount{{HostPath: "/usr/lib", ContainerPath: "/vendor", Options: []string{"ro", "nosuid", "rbind"}}},
		Env:    []string{"VENDOR=1"}, Gids: []uint32{44},
	}
	json := `{"cdiVersion":"0.6.0","kind":"vendor.com/gpu","devices":[{"name":"0","containerEdits":{"env":["FROM=json"]}}]}`
	for _, tc := range []struct {
		name, device string
		files        map[string]string
		want         cdi.Device
		err          string
	}{
		{name: "a device", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu}, want: want},
		{name: "the later directory's", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu, "b/x.json": json}, want: cdi.Device{Env: []string{"FROM=json"}}},
		{name: "files of other names are none", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu, "a/gpu.yaml~": "{"}, want: want},
		{name: "one that is in two files", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu, "a/x.json": json}, err: "device vendor.com/gpu=0 is both in DIR/a/gpu.yaml and in DIR/a/x.json"},
		{name: "one that is not there", device: "vendor.com/gpu=9", files: map[string]string{"a/gpu.yaml": gpu}, err: "no device vendor.com/gpu=9 in DIR/a, DIR/b"},
		{name: "a hook", device: "vendor.com/gpu=hooked", files: map[string]string{"a/gpu.yaml": gpu}, err: "device vendor.com/gpu=hooked: DIR/a/gpu.yaml: containerEdits.hooks: /usr/bin/vendor-hook (createContainer) would run on the host"},
		{name: "a network interface", device: "vendor.com/gpu=shared", files: map[string]string{"a/gpu.yaml": gpu}, err: "containerEdits.netDevices: is not supported"},
		{name: "a field that is not known", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu + "more: x\n"}, err: "field more not found"},
		{name: "a version that is not known", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": strings.Replace(gpu, "0.6.0", "2.0.0", 1)}, err: `cdiVersion: "2.0.0" is not known`},
		{name: "aliases", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": "a: &a [x]\nb: *a\n"}, err: "it has aliases"},
		{name: "two documents", device: "vendor.com/gpu=0", files: map[string]string{"a/gpu.yaml": gpu + "---\n{}\n"}, err: "more than one document"},
		{name: "no name", device: "vendor.com/gpu", err: `"vendor.com/gpu" is not a device's name`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range tc.files {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := cdi.Find([]string{dir + "/a", dir + "/b"}, tc.device)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), strings.ReplaceAll(tc.err, "DIR", dir)) {
					t.Errorf("error %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzFind(f *testing.F) {
	f.Add(gpu)
	f.Add(`{"cdiVersion":"1.0.0","kind":"a.b/c","devices":[{"name":"x","containerEdits":{"deviceNodes":[{"path":"/dev/x"}]}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := cdi.Find([]string{dir}, "vendor.com/gpu=0")
		if err == nil && len(d.Nodes)+len(d.Mounts)+len(d.Env)+len(d.Gids) == 0 {
			t.Error("a device of nothing")
		}
	})
}
