package appspec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/raket/raket/pkg/appspec"
)

func parseResources(t *testing.T, text string) *appspec.Resources {
	t.Helper()
	r, err := appspec.ParseResources([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func directives(t *testing.T, r *appspec.Resources) string {
	t.Helper()
	props, err := appspec.ResourceDirectives(r)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range props {
		out = append(out, p.Name+"="+p.Value)
	}
	return strings.Join(out, " ")
}

func files(list []appspec.GroupFile) string {
	var out []string
	for _, f := range list {
		out = append(out, f.Name+"="+f.Value)
	}
	return strings.Join(out, " ")
}

func TestWhatKeepsResourcesToTheirLimits(t *testing.T) {
	for _, tc := range []struct{ name, json, directives, files, controllers string }{
		{name: "nothing", json: `{}`},
		{name: "no limits, as the runtime-spec writes them", json: `{"memory":{"limit":-1,"swap":-1},"pids":{"limit":-1},"cpu":{"quota":-1}}`, directives: "MemorySwapMax=infinity", controllers: "memory"},
		{name: "memory", json: `{"memory":{"limit":1000000,"reservation":500000,"swap":1500000}}`, controllers: "memory",
			directives: "MemoryMax=1000000 MemoryLow=500000 MemorySwapMax=500000",
			files:      "memory.limit_in_bytes=1000000 memory.soft_limit_in_bytes=500000 memory.memsw.limit_in_bytes=1500000"},
		{name: "CPUs", json: `{"cpu":{"quota":50000,"shares":1024,"cpus":"0-1,3","mems":"0"}}`, controllers: "cpu cpuset",
			directives: "CPUQuota=50.00% CPUWeight=39 AllowedCPUs=0-1,3 AllowedMemoryNodes=0",
			files:      "cpu.cfs_period_us=100000 cpu.cfs_quota_us=50000 cpu.shares=1024 cpuset.cpus=0-1,3 cpuset.mems=0"},
		{name: "a period of one's own", json: `{"cpu":{"quota":5000,"period":10000}}`, directives: "CPUQuota=50.00% CPUQuotaPeriodSec=10000us",
			files: "cpu.cfs_period_us=10000 cpu.cfs_quota_us=5000", controllers: "cpu"},
		{name: "processes", json: `{"pids":{"limit":7}}`, directives: "TasksMax=7", files: "pids.max=7", controllers: "pids"},
		{name: "block devices", json: `{"blockIO":{"weight":500,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":100}],"throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":5}]}}`, controllers: "io",
			directives: "IOWeight=4950 IOReadBandwidthMax=/dev/block/8:0 100 IOWriteIOPSMax=/dev/block/8:16 5",
			files:      "blkio.bfq.weight=500 blkio.throttle.read_bps_device=8:0 100 blkio.throttle.write_iops_device=8:16 5"},
		{name: "unified, which goes before the rest", json: `{"memory":{"limit":5},"unified":{"memory.max":"7","pids.max":"max","cpu.max":"20000 100000","cpuset.cpus":"0"}}`, controllers: "cpu cpuset memory pids",
			directives: "CPUQuota=20.00% AllowedCPUs=0 MemoryMax=7 TasksMax=infinity",
			files:      "memory.limit_in_bytes=7 cpu.cfs_period_us=100000 cpu.cfs_quota_us=20000 cpuset.cpus=0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := parseResources(t, tc.json)
			if diff := cmp.Diff(tc.directives, directives(t, r)); diff != "" {
				t.Error("directives (-want +got):\n" + diff)
			}
			legacy, err := appspec.LegacyFiles(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.files, files(legacy)); diff != "" {
				t.Error("files (-want +got):\n" + diff)
			}
			if diff := cmp.Diff(tc.controllers, strings.Join(appspec.Controllers(r), " ")); diff != "" {
				t.Error("controllers (-want +got):\n" + diff)
			}
		})
	}
}

func TestWhatOnlyTheUnifiedHierarchyHas(t *testing.T) {
	r := parseResources(t, `{"unified":{"memory.high":"1000"}}`)
	if got := directives(t, r); got != "MemoryHigh=1000" {
		t.Errorf("directives %q", got)
	}
	if _, err := appspec.LegacyFiles(r); !errors.Is(err, appspec.ErrUnifiedOnly) || !strings.Contains(err.Error(), "memory.high") {
		t.Errorf("error %v", err)
	}
}

func TestPropertiesCountOnLegacyHierarchiesToo(t *testing.T) {
	for _, tc := range []struct{ name, property, files, lost string }{
		{name: "memory", property: "MemoryMax=16M", files: "memory.limit_in_bytes=16777216"},
		{name: "memory in bytes", property: "MemoryMax=16000000", files: "memory.limit_in_bytes=16000000"},
		{name: "memory as a share", property: "MemoryMax=5%", files: "memory.limit_in_bytes=1", lost: "MemoryMax"},
		{name: "processes", property: "TasksMax=5", files: "memory.limit_in_bytes=1 pids.max=5"},
		{name: "CPUs", property: "CPUQuota=150%", files: "memory.limit_in_bytes=1 cpu.cfs_period_us=100000 cpu.cfs_quota_us=150000"},
		{name: "a weight", property: "CPUWeight=200", files: "memory.limit_in_bytes=1 cpu.shares=2048"},
		{name: "which CPUs", property: "AllowedCPUs=0 2-3", files: "memory.limit_in_bytes=1 cpuset.cpus=0,2-3"},
		{name: "what has no form there", property: "MemoryHigh=5M", files: "memory.limit_in_bytes=1", lost: "MemoryHigh"},
		{name: "addresses", property: "IPAddressDeny=any", files: "memory.limit_in_bytes=1", lost: "IPAddressDeny"},
		{name: "what limits nothing", property: "MemoryAccounting=yes", files: "memory.limit_in_bytes=1"},
		{name: "the scheduler of input and output", property: "IOSchedulingClass=idle", files: "memory.limit_in_bytes=1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := appspec.ParseProperty(tc.property)
			if err != nil {
				t.Fatal(err)
			}
			a := appspec.New()
			if err := a.Apply(appspec.Override{Properties: []appspec.Property{p}}); err != nil {
				t.Fatal(err)
			}
			a.Spec.Linux.Resources = &appspec.Resources{Memory: &specs.LinuxMemory{Limit: ptr(int64(1))}}
			r, lost, err := appspec.LegacyResources(a.Spec)
			if err != nil {
				t.Fatal(err)
			}
			legacy, err := appspec.LegacyFiles(r)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.files, files(legacy)); diff != "" {
				t.Error("files (-want +got):\n" + diff)
			}
			if got := strings.Join(lost, " "); got != tc.lost {
				t.Errorf("without effect %q, want %q", got, tc.lost)
			}
			if *a.Spec.Linux.Resources.Memory.Limit != 1 {
				t.Error("the spec was changed")
			}
		})
	}
}

func TestResourcesOfAPod(t *testing.T) {
	memory, pids := int64(5), int64(7)
	for _, tc := range []struct {
		name, isolators string
		limits          appspec.Limits
		want            string
		net             int64
	}{
		{name: "none"},
		{name: "of the network", isolators: `[{"name":"resource/network-bandwidth","value":{"default":true,"limit":"1M"}}]`, net: 1_000_000},
		{name: "of the network, by a flag", isolators: `[{"name":"resource/network-bandwidth","value":{"default":true,"limit":"1M"}}]`,
			limits: appspec.Limits{NetBytes: &memory, Pids: &pids}, want: `{"pids":{"limit":7}}`, net: 5},
		{name: "a list of no isolators", isolators: "[]"},
		{name: "flags", limits: appspec.Limits{MemoryBytes: &memory, Pids: &pids}, want: `{"memory":{"limit":5},"pids":{"limit":7}}`},
		{name: "isolators", isolators: `[{"name":"resource/memory","value":{"limit":"1M"}}]`, want: `{"memory":{"limit":1000000}}`},
		{name: "of the disk", isolators: `[{"name":"resource/block-bandwidth","value":{"default":true,"limit":"1M"}},{"name":"resource/block-iops","value":{"default":true,"limit":"50"}}]`,
			want: `{"blockIO":{"throttleReadBpsDevice":[{"major":0,"minor":0,"rate":1000000}],"throttleWriteBpsDevice":[{"major":0,"minor":0,"rate":1000000}],"throttleReadIOPSDevice":[{"major":0,"minor":0,"rate":50}],"throttleWriteIOPSDevice":[{"major":0,"minor":0,"rate":50}]}}`},
		{name: "flags go before them", isolators: `[{"name":"resource/memory","value":{"limit":"1M"}},{"name":"resource/cpu","value":{"limit":"500m"}}]`,
			limits: appspec.Limits{MemoryBytes: &memory}, want: `{"memory":{"limit":5},"cpu":{"quota":50000,"period":100000}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, net, err := appspec.PodLimits([]byte(tc.isolators), tc.limits)
			if err != nil {
				t.Fatal(err)
			}
			if net != tc.net {
				t.Errorf("network bandwidth %d, want %d", net, tc.net)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
			if _, err := appspec.ParseResources(got); err != nil {
				t.Errorf("what was written is not read: %v", err)
			}
		})
	}
	for name, text := range map[string]string{"a field that is refused": `{"hugepageLimits":[{}]}`, "no object": `7`, "a wrong type": `{"memory":{"limit":"x"}}`} {
		if _, err := appspec.ParseResources([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// What passes the checks becomes single lines.
func FuzzResources(f *testing.F) {
	for _, seed := range []string{
		`{"memory":{"limit":1,"swap":2,"reservation":3},"pids":{"limit":4}}`, `{"cpu":{"quota":-5,"period":1000,"cpus":"0-3","mems":"0","idle":1}}`,
		`{"unified":{"cpu.max":"max 100000","memory.high":"5","io.weight":"default 100"}}`, `{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":18446744073709551615}]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := appspec.ParseResources(text)
		if err != nil {
			return
		}
		props, err := appspec.ResourceDirectives(r)
		if err != nil {
			t.Errorf("accepted, and then: %v", err)
		}
		for _, p := range props {
			if strings.ContainsAny(p.Value, "\n\r\x00%") && !strings.HasPrefix(p.Name, "CPUQuota") {
				t.Errorf("%s=%q", p.Name, p.Value)
			}
		}
		list, err := appspec.LegacyFiles(r)
		if err != nil && !errors.Is(err, appspec.ErrUnifiedOnly) {
			// A number that the unified hierarchy takes and the legacy ones do not.
			return
		}
		for _, g := range list {
			if strings.ContainsAny(g.Value+g.Name, "\n\r\x00/") || !strings.HasPrefix(g.Name, g.Controller+".") {
				t.Errorf("%+v", g)
			}
		}
	})
}

// Limits of the pod's disk are of the device that this is.
func TestTheDiskOfAPod(t *testing.T) {
	list := `[{"name":"resource/block-bandwidth","value":{"default":true,"limit":"1M"}}]`
	for name, tt := range map[string]struct {
		device *[2]int64
		want   string
	}{
		"a disk":  {&[2]int64{254, 0}, "IOReadBandwidthMax=/dev/block/254:0 1000000 IOWriteBandwidthMax=/dev/block/254:0 1000000"},
		"no disk": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			text, _, err := appspec.PodLimits([]byte(list), appspec.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := appspec.ParseResources(text)
			if err != nil {
				t.Fatal(err)
			}
			if !appspec.LimitsDisk(r) {
				t.Fatal("it limits nothing")
			}
			appspec.SetDisk(r, tt.device)
			props, err := appspec.ResourceDirectives(r)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range props {
				got = append(got, p.Name+"="+p.Value)
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("directives (-want +got):\n%s", diff)
			}
			if appspec.LimitsDisk(r) {
				t.Error("it still limits what is not known")
			}
		})
	}
}
