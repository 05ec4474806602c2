package appspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/raket/raket/pkg/appspec"
)

func TestWhatNoStageAppliesIsRefusedByName(t *testing.T) {
	for want, change := range map[string]func(*appspec.Spec){
		"process.selinuxLabel":    func(s *appspec.Spec) { s.Process.SelinuxLabel = "a:b:c" },
		"process.apparmorProfile": func(s *appspec.Spec) { s.Process.ApparmorProfile = "a b" },
		"hooks.createRuntime":     func(s *appspec.Spec) { s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/a"}}} },
		"linux.seccomp":           func(s *appspec.Spec) { s.Linux.Seccomp = &appspec.Seccomp{DefaultAction: specs.ActNotify} },
		"linux.namespaces[0].path": func(s *appspec.Spec) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.PIDNamespace, Path: "/proc/1/ns/pid"}}
		},
		"linux.namespaces[0].type": func(s *appspec.Spec) { s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.UserNamespace}} },
		"linux.resources.devices[1]": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}, {Allow: true}}}
		},
		"linux.resources.memory.swappiness": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Memory: &specs.LinuxMemory{Swappiness: ptr(uint64(1))}}
		},
		"linux.resources.memory.swap": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Memory: &specs.LinuxMemory{Limit: ptr(int64(5)), Swap: ptr(int64(4))}}
		},
		"linux.resources.memory.swap without a limit": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Memory: &specs.LinuxMemory{Swap: ptr(int64(1))}}
		},
		"linux.resources.cpu.realtimeRuntime": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{CPU: &specs.LinuxCPU{RealtimeRuntime: ptr(int64(5))}}
		},
		"linux.resources.cpu.cpus": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{CPU: &specs.LinuxCPU{Cpus: "0\nExecStart=/x"}}
		},
		"linux.resources.cpu.period": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{CPU: &specs.LinuxCPU{Period: ptr(uint64(5))}}
		},
		"linux.resources.pids.limit": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Pids: &specs.LinuxPids{Limit: ptr(int64(1 << 40))}}
		},
		"linux.resources.blockIO.weight": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{BlockIO: &specs.LinuxBlockIO{Weight: ptr(uint16(5))}}
		},
		"linux.resources.blockIO.weightDevice": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{BlockIO: &specs.LinuxBlockIO{WeightDevice: make([]specs.LinuxWeightDevice, 1)}}
		},
		"linux.resources.blockIO.throttleReadBpsDevice[0]": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{BlockIO: &specs.LinuxBlockIO{ThrottleReadBpsDevice: make([]specs.LinuxThrottleDevice, 1)}}
		},
		"linux.resources.hugepageLimits": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{HugepageLimits: make([]specs.LinuxHugepageLimit, 1)}
		},
		"linux.resources.unified: memory.oom.group": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Unified: map[string]string{"memory.oom.group": "1"}}
		},
		"linux.resources.unified: memory.max": func(s *appspec.Spec) {
			s.Linux.Resources = &appspec.Resources{Unified: map[string]string{"memory.max": "1\nExecStart=/x"}}
		},
		"mounts[6]": func(s *appspec.Spec) { s.Mounts = append(s.Mounts, appspec.Mount{Destination: "/tmp", Type: "tmpfs"}) },
	} {
		t.Run(want, func(t *testing.T) {
			a := appspec.New()
			a.Entrypoint = []string{"/a"}
			change(a.Spec)
			if _, err := a.Resolve(appspec.Root{}); err == nil || !strings.HasPrefix(err.Error(), want+":") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestVolumesAndLimitsAreNotRefused(t *testing.T) {
	a := appspec.New()
	a.Entrypoint = []string{"/a"}
	a.Spec.Mounts = append(a.Spec.Mounts, appspec.Bind("/srv", "/data", true, true))
	a.Spec.Linux.Resources = &appspec.Resources{
		Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}, Pids: &specs.LinuxPids{Limit: ptr(int64(5))},
		Memory: &specs.LinuxMemory{Limit: ptr(int64(5))},
	}
	if _, err := a.Resolve(appspec.Root{}); err != nil {
		t.Error(err)
	}
}

func TestIsolatorsThatGuardTheMachineAreKept(t *testing.T) {
	a, err := appspec.FromAppcApp([]byte(`{"exec":["/a"],"user":"0","group":"0","isolators":[
		{"name":"os/linux/seccomp-remove-set","value":{"set":["reboot","kexec_load"],"errno":"EPERM"}},
		{"name":"os/unix/sysctl","value":{"net.ipv4.tcp_mtu_probing":"1"}},
		{"name":"os/linux/selinux-context","value":{"user":"user_u","role":"role_r","type":"type_r","level":"s0-s0:c0"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []specs.LinuxSyscall{{Names: []string{"kexec_load", "reboot"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(1))}}
	if diff := cmp.Diff(want, a.Spec.Linux.Seccomp.Syscalls); diff != "" {
		t.Error("filter (-want +got):\n" + diff)
	}
	if diff := cmp.Diff(map[string]string{"net.ipv4.tcp_mtu_probing": "1"}, a.Spec.Linux.Sysctl); diff != "" {
		t.Error("sysctls (-want +got):\n" + diff)
	}
	if got := a.Spec.Process.SelinuxLabel; got != "user_u:role_r:type_r:s0-s0:c0" {
		t.Errorf("label %q", got)
	}
}
