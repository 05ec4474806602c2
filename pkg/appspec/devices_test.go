package appspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/raket/raket/pkg/appspec"
)

func device(path, access string, major, minor int64) appspec.DeviceNode {
	return appspec.DeviceNode{Device: appspec.Device{Path: path, Type: "c", Major: major, Minor: minor}, Access: access}
}

func TestDevices(t *testing.T) {
	a := appspec.New()
	a.Entrypoint = []string{"/bin/a"}
	if err := a.AddDevices(appspec.Devices{
		Nodes: []appspec.DeviceNode{device("/dev/fuse", "rwm", 10, 229), device("/dev/dri/card0", "r", 226, 0)},
		Env:   []string{"A=device", "PATH=/device"}, Gids: []uint32{44},
	}); err != nil {
		t.Fatal(err)
	}
	s, err := a.Resolve(appspec.Root{})
	if err != nil {
		t.Fatal(err)
	}
	files, err := appspec.LegacyFiles(s.Linux.Resources)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name+" "+f.Value)
	}
	want := "devices.deny a\ndevices.allow c *:* m\ndevices.allow b *:* m\ndevices.allow c 1:3 rwm\ndevices.allow c 1:5 rwm\ndevices.allow c 1:7 rwm\ndevices.allow c 1:8 rwm\ndevices.allow c 1:9 rwm\ndevices.allow c 5:0 rwm\ndevices.allow c 5:2 rwm\ndevices.allow c 136:* rwm\ndevices.allow c 10:229 rwm\ndevices.allow c 226:0 r"
	if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
		t.Errorf("group files (-want +got):\n%s", diff)
	}
	if len(s.Process.User.AdditionalGids) != 1 || s.Process.User.AdditionalGids[0] != 44 {
		t.Errorf("groups: %v", s.Process.User.AdditionalGids)
	}
	if err := appspec.UnifiedDevices(s); err == nil || !strings.Contains(err.Error(), `device c 226:0: nobody would keep the app to "r" of it`) {
		t.Errorf("on the unified hierarchy: %v", err)
	}
	if err := a.AddDevices(appspec.Devices{Nodes: []appspec.DeviceNode{device("/dev/fuse", "rwm", 10, 229)}}); err == nil {
		t.Error("one twice was taken")
	}
}

func TestDevicesThatNoAppGets(t *testing.T) {
	for _, tc := range []struct {
		name string
		d    appspec.DeviceNode
		want string
	}{
		{"outside of /dev", device("/srv/x", "rwm", 1, 1), `linux.devices[0]: "/srv/x" is not a path below /dev`},
		{"by a way out of it", device("/dev/../x", "rwm", 1, 1), `linux.devices[0]: "/dev/../x" is not a path below /dev`},
		{"over another", device("/dev/null", "rwm", 1, 5), "linux.devices[0]: /dev/null is another device in every app"},
		{"over what every app has", device("/dev/pts/0", "rwm", 136, 0), `linux.devices[0]: "/dev/pts/0" is what every app has`},
		{"with a colon", device("/dev/a:b", "rwm", 1, 1), `linux.devices[0]: "/dev/a:b" is not a path below /dev`},
		{"of no number", device("/dev/x", "rwm", 1<<20, 1), "linux.devices[0]: 1048576:1 is not the number of a device"},
		{"with access of no kind", device("/dev/x", "rx", 1, 1), `linux.resources.devices[1]: access "rx" is not made of r, w and m`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := appspec.New()
			a.Entrypoint = []string{"/bin/a"}
			if err := a.AddDevices(appspec.Devices{Nodes: []appspec.DeviceNode{tc.d}}); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Resolve(appspec.Root{}); err == nil || err.Error() != tc.want {
				t.Errorf("error %v, want %s", err, tc.want)
			}
		})
	}
	number := int64(1)
	for name, rules := range map[string][]specs.LinuxDeviceCgroup{
		"all devices":             {{Allow: true, Access: "rwm"}},
		"all of a type":           {{Allow: true, Type: "c", Access: "rwm"}},
		"some but":                {{Allow: true, Type: "c", Major: &number, Access: "rwm"}, {Allow: false, Type: "c", Major: &number, Access: "w"}},
		"a device without a rule": nil,
	} {
		s := appspec.New().Spec
		s.Linux.Resources = &appspec.Resources{Devices: rules}
		if rules == nil {
			s.Linux.Devices = []appspec.Device{{Path: "/dev/x", Type: "c", Major: 1, Minor: 1}}
		}
		if err := appspec.Refused(s); err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
}

func TestSysctls(t *testing.T) {
	for name, ok := range map[string]bool{
		"kernel.shmmax": true, "kernel.msgmnb": true, "kernel.sem": true, "fs.mqueue.msg_max": true, "net.ipv4.ip_forward": true,
		"net/ipv4/conf/eth0.1/forwarding": true, "kernel/shmmax": true,
		"kernel.core_pattern": false, "vm.swappiness": false, "fs.file-max": false, "kernel.hostname": false, "net/../kernel/x": false, "net.ipv4..x": false, "": false, "/net/ipv4": false,
	} {
		if err := appspec.CheckSysctl(name, "1"); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := appspec.CheckSysctl("kernel.shmmax", "1\n2"); err == nil {
		t.Error("two lines were taken")
	}
	all := map[string]string{}
	if err := appspec.MergeSysctls(all, map[string]string{"kernel/shmmax": "1", "net/ipv4/conf/eth0.1/forwarding": "1"}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"kernel.shmmax": "1", "net.ipv4.conf.eth0/1.forwarding": "1"}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := appspec.MergeSysctls(all, map[string]string{"kernel.shmmax": "1"}); err != nil {
		t.Error("the same twice:", err)
	}
	if err := appspec.MergeSysctls(all, map[string]string{"kernel.shmmax": "2"}); err == nil || err.Error() != `sysctl kernel.shmmax is to be both "1" and "2": a pod has one` {
		t.Error("another value:", err)
	}
}

func TestSecurity(t *testing.T) {
	for _, tc := range []struct{ text, err string }{
		{"apparmor=web", ""}, {"label=type:web_t", ""}, {"label=level:s0:c1,c2", ""}, {"mask=/proc/uptime:/etc/x", ""}, {"readonly=/srv", ""},
		{"apparmor=a b", "not the name"}, {"label=disable", "is not user:"}, {"label=type:a:b", "is not user:"}, {"mask=x", "not an absolute path"},
		{"mask=/", "not an absolute path"}, {"mask=/proc", "what every app has"}, {"readonly=/dev/null", "what every app has"}, {"unmask=ALL", "is not known"}, {"apparmor", "want "},
	} {
		var s appspec.Security
		err := s.ParseSecurity(tc.text)
		if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%q: %v, want %q", tc.text, err, tc.err)
		}
	}
	a := appspec.New()
	var s appspec.Security
	for _, text := range []string{"label=type:web_t", "label=level:s0:c1,c2", "mask=/proc/uptime:/proc/kcore", "readonly=/srv:/sys/kernel"} {
		if err := s.ParseSecurity(text); err != nil {
			t.Fatal(err)
		}
	}
	a.AddSecurity(s)
	if got := a.Spec.Process.SelinuxLabel; got != "system_u:system_r:web_t:s0:c1,c2" {
		t.Errorf("context %q", got)
	}
	masked, readOnly := appspec.ExtraPaths(a.Spec)
	if diff := cmp.Diff([][]string{{"/proc/uptime"}, {"/srv"}}, [][]string{masked, readOnly}); diff != "" {
		t.Errorf("beyond the usual (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"a:b:c", `a:b:c:s0"`, "a:b:c:s0\n", "a::c:s0"} {
		spec := appspec.New().Spec
		spec.Process.SelinuxLabel = bad
		if err := appspec.Refused(spec); err == nil {
			t.Errorf("context %q was taken", bad)
		}
	}
}
