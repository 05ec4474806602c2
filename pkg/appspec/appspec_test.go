package appspec_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

func TestBadImagesAreRefusedWithTheFieldNamed(t *testing.T) {
	oci := func(s string) error { _, err := appspec.FromOCI([]byte(s)); return err }
	appc := func(s string) error { _, err := appspec.FromAppc([]byte(s)); return err }
	app := func(s string) error {
		return appc(`{"acKind":"ImageManifest","app":{"exec":["/a"],"user":"0","group":"0",` + s + `}}`)
	}
	iso := func(name, value string) error {
		return app(`"isolators":[{"name":"` + name + `","value":` + value + `}]`)
	}
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"not JSON":                     {oci(`{`), "unexpected end"},
		"too big":                      {oci(strings.Repeat(" ", appspec.MaxConfigBytes+1)), "at most"},
		"a field of the wrong type":    {oci(`{"config":{"Env":"A=b"}}`), "config.Env"},
		"a variable without a name":    {oci(`{"config":{"Env":["=b"]}}`), "config.Env"},
		"NUL in a variable":            {oci(`{"config":{"Env":["A=\u0000"]}}`), "NUL"},
		"newline in a variable's name": {oci(`{"config":{"Env":["A\nB=c"]}}`), "bad name"},
		"an unknown stop signal":       {oci(`{"config":{"StopSignal":"SIGHELLO"}}`), "config.StopSignal"},
		"a stop signal that is more":   {oci(`{"config":{"StopSignal":"SIGTERM\nExecStart=/evil"}}`), "config.StopSignal"},
		"a volume that is the root":    {oci(`{"config":{"Volumes":{"/a/..":{}}}}`), "config.Volumes"},
		"a volume with a newline":      {oci(`{"config":{"Volumes":{"/a\nb":{}}}}`), "config.Volumes"},
		"a port out of range":          {oci(`{"config":{"ExposedPorts":{"70000/tcp":{}}}}`), "config.ExposedPorts"},
		"a port range backwards":       {oci(`{"config":{"ExposedPorts":{"20-10":{}}}}`), "config.ExposedPorts"},
		"an unknown protocol":          {oci(`{"config":{"ExposedPorts":{"80/icmp":{}}}}`), "protocol"},
		"a pod manifest":               {appc(`{"acKind":"PodManifest"}`), "acKind"},
		"an app without a user":        {appc(`{"acKind":"ImageManifest","app":{"exec":["/a"],"group":"0"}}`), "app.user"},
		"a relative working directory": {app(`"workingDirectory":"a"`), "app.workingDirectory"},
		"an equals sign in a name":     {app(`"environment":[{"name":"A=B","value":"c"}]`), "app.environment[0]"},
		"an unknown event":             {app(`"eventHandlers":[{"name":"pre-stop","exec":["/a"]}]`), "app.eventHandlers[0].name"},
		"two handlers of an event":     {app(`"eventHandlers":[{"name":"pre-start","exec":["/a"]},{"name":"pre-start","exec":["/b"]}]`), "app.eventHandlers[1].name"},
		"a handler without a command":  {app(`"eventHandlers":[{"name":"pre-start"}]`), "app.eventHandlers[0].exec"},
		"a bad mount point name":       {app(`"mountPoints":[{"name":"A_B","path":"/a"}]`), "app.mountPoints[0].name"},
		"a relative mount point":       {app(`"mountPoints":[{"name":"a","path":"a"}]`), "app.mountPoints[0].path"},
		"ports beyond the last":        {app(`"ports":[{"name":"a","protocol":"tcp","port":65535,"count":2}]`), "app.ports[0].port"},
		"a negative group":             {app(`"supplementaryGIDs":[-1]`), "supplementaryGIDs"},
		"an unknown guard":             {iso("os/linux/landlock", `{}`), "app.isolators[0]: os/linux/landlock"},
		"an isolator without a value":  {app(`"isolators":[{"name":"os/linux/no-new-privileges"}]`), "has no value"},
		"an unknown capability":        {iso("os/linux/capabilities-retain-set", `{"set":["CAP_PONIES"]}`), "CAP_PONIES"},
		"an empty capability set":      {iso("os/linux/capabilities-remove-set", `{"set":[]}`), "set is empty"},
		"shares out of range":          {iso("os/linux/cpu-shares", `1`), "2 to 262144"},
		"OOM score out of range":       {iso("os/linux/oom-score-adj", `1001`), "-1000 to 1000"},
		"an endless memory limit":      {iso("resource/memory", `{"limit":"1e999999999"}`), "quantity"},
		"an endless bandwidth":         {iso("resource/network-bandwidth", `{"default":true,"limit":"1e999999999"}`), "quantity"},
		"no bandwidth":                 {iso("resource/network-bandwidth", `{"default":true,"limit":"0"}`), "0 bytes a second"},
		"a seccomp set we lack":        {iso("os/linux/seccomp-retain-set", `{"set":["@rkt/whitelist"]}`), "no set"},
		"an unknown errno":             {iso("os/linux/seccomp-remove-set", `{"set":["reboot"],"errno":"ENOPE"}`), "errno"},
		"a sysctl that climbs":         {iso("os/unix/sysctl", `{"net/../kernel/core_pattern":"|/evil"}`), "sysctl"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
				t.Errorf("error %v, want %q", tc.err, tc.want)
			}
		})
	}
}

func TestResourceIsolatorsThatAreNotKnownAreReported(t *testing.T) {
	a, err := appspec.FromAppc([]byte(`{"acKind":"ImageManifest","app":{"exec":["/usr/local/bin/etcd"],"user":"0","group":"0",
		"isolators":[{"name":"resource/gpu","value":{"limit":"2"}}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := a.Resolve(root(t, "etcd-aci", "/usr/local/bin/etcd"))
	if err != nil {
		t.Fatal(err)
	}
	if got := spec.Annotations[appspec.AnnotationIgnoredIsolators]; got != "resource/gpu" {
		t.Errorf("annotation %q", got)
	}
}

func TestBadOverridesAreRefused(t *testing.T) {
	prop := func(name, value string) appspec.Override {
		return appspec.Override{Properties: []appspec.Property{{Name: name, Value: value}}}
	}
	for name, o := range map[string]appspec.Override{
		"a variable that is not UTF-8":    {Env: []string{"A=\xff"}},
		"a variable without a value":      {Env: []string{"A"}},
		"a relative working directory":    {WorkingDir: "a"},
		"a bad hostname":                  {Hostname: "a b"},
		"an unknown capability":           {CapsRetain: []string{"CAP_NOPE"}},
		"retain and remove":               {CapsRetain: []string{"CAP_CHOWN"}, CapsRemove: []string{"CAP_KILL"}},
		"a soft limit above the hard one": {Rlimits: []appspec.Rlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}},
		"no bandwidth":                    {Limits: appspec.Limits{NetBytes: ptr(int64(0))}},
		"no memory":                       {Limits: appspec.Limits{MemoryBytes: ptr(int64(0))}},
		"too little CPU":                  {Limits: appspec.Limits{CPUMillis: ptr(int64(1))}},
		"an unknown signal":               {StopSignal: "65"},
		"no time to stop":                 {StopTimeout: ptr(time.Duration(0))},
		"a negative timeout":              {StopTimeout: ptr(-time.Second)},
		"a type of two lines":             {Type: "simple\x00"},
		"a command as a property":         prop("ExecStart", "/bin/evil"),
		"a root as a property":            prop("RootDirectory", "/"),
		"sockets as a property":           prop("Sockets", "a.socket"),
		"a command outside the root":      prop("ExecStartPre", "-+/bin/evil"),
		"a quoted command outside":        prop("ExecStartPre", `"+/bin/evil"`),
		"a command of no path":            prop("ExecStop", "kill -TERM 1"),
		"a command under another name":    prop("ExecReload", "@/bin/kill x"),
		"two commands":                    prop("ExecStartPost", "/bin/a 'b' ; /bin/evil"),
		"a command that takes others off": prop("ExecStopPost", ""),
		"a property of two lines":         prop("MemoryMax", "1\nExecStart=/bin/evil"),
		"a property that continues":       prop("MemoryMax", `1\`),
		"a property that is two":          prop("MemoryMax=1\nExecStart", "/bin/evil"),
		"an annotation that is one":       {Annotations: map[string]string{"org.systemd.property.ExecStart": "/bin/evil"}},
		"an annotation without a name":    {Annotations: map[string]string{"": "a"}},
		"a notify annotation of no sense": {Annotations: map[string]string{"appc.io/executor/supports-systemd-notify": "perhaps"}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := load(t, "nginx").Apply(o); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestPropertiesAreInOrderWithEachOfTheirLines(t *testing.T) {
	got, err := appspec.Properties(&appspec.Spec{Annotations: map[string]string{
		"org.systemd.property.IPAddressDeny": "10.0.0.0/8\n192.168.0.0/16",
		"org.systemd.property.CPUWeight":     "20", "example.com/other": "x",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []appspec.Property{{Name: "CPUWeight", Value: "20"}, {Name: "IPAddressDeny", Value: "10.0.0.0/8"}, {Name: "IPAddressDeny", Value: "192.168.0.0/16"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("properties (-want +got):\n" + diff)
	}
}

func TestTheExecutableIsFoundAsAShellWould(t *testing.T) {
	there := func(p string) bool { return p == "/bin/a" || p == "/srv/a" || p == "/srv/sub/b" }
	for name, tc := range map[string]struct{ path, argv0, cwd, want string }{
		"by PATH":                            {"/sbin:/bin", "a", "/", "/bin/a"},
		"by PATH in its order":               {"/srv:/bin", "a", "/", "/srv/a"},
		"an empty element is here":           {":/bin", "a", "/srv", "/srv/a"},
		"a relative element is from here":    {"sub", "b", "/srv", "/srv/sub/b"},
		"an absolute path":                   {"", "/bin//a", "/", "/bin/a"},
		"a relative path is from here":       {"/bin", "./a", "/srv", "/srv/a"},
		"a relative path ignores PATH":       {"/bin", "./a", "/", ""},
		"a name that is not there":           {"/sbin", "a", "/", ""},
		"nothing":                            {"/bin", "", "/", ""},
		"a directory":                        {"/bin", "/bin/a/", "/", ""},
		"a path cannot leave the root":       {"", "../../bin/a", "/srv", "/bin/a"},
		"no working directory is the root's": {"bin", "a", "", "/bin/a"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := appspec.LookPath(tc.path, there, tc.argv0, tc.cwd)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Fatalf("got %q, %v; want %q", got, err, tc.want)
			}
			var missing *appspec.NotFoundError
			if err != nil && (!errors.As(err, &missing) || !strings.Contains(err.Error(), `exec "`+tc.argv0+`" not found in image`)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAnImageWithoutACommandNeedsOne(t *testing.T) {
	a := appspec.New()
	if _, err := a.Resolve(appspec.Root{}); !errors.Is(err, appspec.ErrNoCommand) {
		t.Errorf("error %v", err)
	}
	a = appspec.New()
	if err := a.Apply(appspec.Override{Exec: []string{"/a"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Resolve(appspec.Root{}); err != nil {
		t.Error(err)
	}
}

func TestRemovingACapabilityNeverGivesOne(t *testing.T) {
	a := load(t, "etcd-aci") // retains CAP_KILL and CAP_NET_BIND_SERVICE
	if err := a.Apply(appspec.Override{CapsRemove: []string{"cap_kill", "CAP_CHOWN"}}); err != nil {
		t.Fatal(err)
	}
	spec, err := a.Resolve(root(t, "etcd-aci", "/usr/local/bin/etcd"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CAP_NET_BIND_SERVICE"}, spec.Process.Capabilities.Bounding); diff != "" {
		t.Error("bounding set (-want +got):\n" + diff)
	}
}

func TestABundleGoesThroughUnchanged(t *testing.T) {
	text := readCase(t, "redis", "spec-all.json")
	spec, err := appspec.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	spec, err = appspec.FromSpec(spec).Resolve(root(t, "redis", "/usr/local/bin/docker-entrypoint.sh"))
	if err != nil {
		t.Fatal(err)
	}
	back, err := appspec.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(text), string(back)); diff != "" {
		t.Error("bundle (-before +after):\n" + diff)
	}
}

func TestValuesOfFlags(t *testing.T) {
	for s, want := range map[string]int64{"128M": 128e6, "1Gi": 1 << 30, "1.5Gi": 3 << 29, "1e3": 1000, "0": 0, "1": 1, "1500m": 2, "7E": 7e18, "2k": 2000} {
		if got, err := appspec.ParseBytes(s); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]int64{"500m": 500, "1.5": 1500, "2": 2000, ".5": 500, "1u": 1} {
		if got, err := appspec.ParseMillis(s); err != nil || got != want {
			t.Errorf("ParseMillis(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "M", "-1", "+1", "1 M", "1MiB", "1e", "1e99", "10E", "1.2.3", ".", "1/2", "0x10", "1_0", "Mi"} {
		if got, err := appspec.ParseBytes(s); err == nil {
			t.Errorf("ParseBytes(%q) = %d", s, got)
		}
	}
	for s, want := range map[string]appspec.Rlimit{
		"nofile=1024:4096":      {Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096},
		"RLIMIT_CORE=unlimited": {Type: "RLIMIT_CORE", Soft: appspec.RlimitInfinity, Hard: appspec.RlimitInfinity},
	} {
		if got, err := appspec.ParseRlimit(s); err != nil || got != want {
			t.Errorf("ParseRlimit(%q) = %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"nofile", "nope=1", "core=2:1", "core=-2", "core="} {
		if got, err := appspec.ParseRlimit(s); err == nil {
			t.Errorf("ParseRlimit(%q) = %v", s, got)
		}
	}
}

func TestStopSignals(t *testing.T) {
	for in, want := range map[string]string{
		"SIGQUIT": "SIGQUIT", "quit": "SIGQUIT", "3": "SIGQUIT", "SIGRTMIN+3": "SIGRTMIN+3", "RTMIN": "SIGRTMIN", "37": "SIGRTMIN+3",
		"SIGRTMAX-1": "SIGRTMIN+29", "WINCH": "SIGWINCH", "0": "", "65": "", "33": "", "SIG": "", "SIGRTMIN+31": "", "SIGRTMIN3": "", "-9": "",
	} {
		a := appspec.New()
		err := a.Apply(appspec.Override{StopSignal: in})
		if got := a.Spec.Annotations["org.systemd.property.KillSignal"]; got != want || (err == nil) != (want != "") {
			t.Errorf("stop signal %q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestSignalNumbers(t *testing.T) {
	for in, want := range map[string]int{"HUP": 1, "sigkill": 9, "64": 64, "RTMIN": 34, "SIGRTMIN+3": 37, "RTMAX": 64, "RTMAX-30": 34, "": 0, "HOP": 0} {
		got, err := appspec.SignalNumber(in)
		if int(got) != want || (err == nil) != (want != 0) {
			t.Errorf("signal %q: %d, %v; want %d", in, got, err, want)
		}
	}
}

func TestEnvFiles(t *testing.T) {
	got, err := appspec.ParseEnvFile([]byte("# a comment\n\nA=1\r\n  B= two #2 \nC=\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"A=1", "B= two #2 ", "C="}, got); diff != "" {
		t.Error("environment (-want +got):\n" + diff)
	}
	if _, err := appspec.ParseEnvFile([]byte("A=1\nB\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v", err)
	}
	merged := appspec.MergeEnv([]string{"A=0", "B=0"}, []string{"C=1", "A=1"}, []string{"A=2"})
	if diff := cmp.Diff([]string{"A=2", "B=0", "C=1"}, merged); diff != "" {
		t.Error("merged (-want +got):\n" + diff)
	}
}
