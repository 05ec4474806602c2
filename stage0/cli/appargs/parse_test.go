package appargs

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/podmanifest"
	"github.com/raket/raket/pkg/podport"
)

func ptr[T any](v T) *T { return &v }

func TestParse(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want Pod
	}{
		"one image is one app": {
			[]string{"img"},
			Pod{Apps: []App{{Image: "img"}}},
		},
		"networks have arguments and ports several forms": {
			[]string{"--net=default:IP=172.16.28.9;K=v,lan", "--net=lan", "--net-alias=db", "--net-alias=a.example", "--port=http:8080", "-p", "8081:81/udp", "-p8082:82", "-p=[::1]:8083:83", "img"},
			Pod{
				Apps: []App{{Image: "img"}},
				Ports: []podport.Flag{
					{Name: "http", HostPort: 8080},
					{Protocol: "udp", HostPort: 8081, PodPort: 81, Count: 1},
					{Protocol: "tcp", HostPort: 8082, PodPort: 82, Count: 1},
					{Protocol: "tcp", HostIP: netip.MustParseAddr("::1"), HostPort: 8083, PodPort: 83, Count: 1},
				},
				Run: RunOptions{
					Net:     []NetChoice{{Name: "default", Args: [][2]string{{"IP", "172.16.28.9"}, {"K", "v"}}}, {Name: "lan"}},
					Aliases: []string{"db", "a.example"},
				},
			},
		},
		"images without anything between them are several apps": {
			[]string{"a", "b"},
			Pod{Apps: []App{{Image: "a"}, {Image: "b"}}},
		},
		"a flag behind an image is that app's": {
			[]string{"a", "--name=one", "b", "--name", "two"},
			Pod{Apps: []App{{Image: "a", Name: "one"}, {Image: "b", Name: "two"}}},
		},
		"a pod's flag may stand behind an image": {
			[]string{"a", "--hostname=web", "b", "--quiet"},
			Pod{Apps: []App{{Image: "a"}, {Image: "b"}}, Run: RunOptions{Hostname: "web"}, Quiet: true},
		},
		"arguments go on to the end of the line": {
			[]string{"a", "--", "-x", "--name=y", "--", "b"},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{Args: []string{"-x", "--name=y", "--", "b"}}}}},
		},
		"arguments end at three hyphens": {
			[]string{"a", "--", "-x", "---", "b", "--", "y"},
			Pod{Apps: []App{
				{Image: "a", Override: appspec.Override{Args: []string{"-x"}}},
				{Image: "b", Override: appspec.Override{Args: []string{"y"}}},
			}},
		},
		"three hyphens may end the line": {
			[]string{"a", "--", "-x", "---"},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{Args: []string{"-x"}}}}},
		},
		"flags of an app may follow its arguments": {
			[]string{"a", "--", "x", "---", "--name=one"},
			Pod{Apps: []App{{Image: "a", Name: "one", Override: appspec.Override{Args: []string{"x"}}}}},
		},
		"no arguments behind two hyphens are not the image's": {
			[]string{"a", "--"},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{Args: []string{}}}}},
		},
		"a value may look like a flag": {
			[]string{"a", "--environment", "--X=1"},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{Env: []string{"--X=1"}}}}},
		},
		"an annotation means the pod before an image and the app behind one": {
			[]string{"--annotation=x=1", "a", "--annotation=x=2"},
			Pod{
				Annotations: []KeyValue{{"x", "1"}},
				Apps:        []App{{Image: "a", Override: appspec.Override{Annotations: map[string]string{"x": "2"}}}},
			},
		},
		"a mount means all apps before an image and the app behind one": {
			[]string{"--volume=v,kind=host,source=/srv", "--mount=volume=v,target=/all", "a", "--mount=volume=v,target=/one"},
			Pod{
				Volumes: []podmanifest.Volume{{Name: "v", Kind: "host", Source: "/srv"}},
				Mounts:  []podmanifest.MountFlag{{Volume: "v", Target: "/all"}},
				Apps:    []App{{Image: "a", Mounts: []podmanifest.MountFlag{{Volume: "v", Target: "/one"}}}},
			},
		},
		"everything that can be said of an app": {
			[]string{
				"a", "--exec=/bin/x", "--working-dir=/srv", "--user=www", "--group=33", "--supplementary-gids=4,adm",
				"--readonly-rootfs", "--no-new-privileges=false", "--caps-retain=net_admin,CAP_KILL", "--oom-score-adj=-5",
				"--rlimit=nofile=1024:4096", "--property=MemoryMax=256M", "--type=notify", "--restart=on-failure",
				"--stop-signal=QUIT", "--stop-timeout=1m30s", "--stdin=tty", "--stdout=stream", "--stderr=null",
			},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{
				Exec: []string{"/bin/x"}, WorkingDir: "/srv", User: "www", Group: "33", Supplementary: []string{"4", "adm"},
				ReadonlyRootfs: ptr(true), NoNewPrivileges: ptr(false), CapsRetain: []string{"net_admin", "CAP_KILL"},
				OOMScoreAdj: ptr(-5), Rlimits: []appspec.Rlimit{{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096}},
				Properties: []appspec.Property{{Name: "MemoryMax", Value: "256M"}}, Type: "notify", Restart: "on-failure",
				StopSignal: "QUIT", StopTimeout: ptr(90 * time.Second),
				Streams: appspec.Streams{Stdin: "tty", Stdout: "stream", Stderr: "null"},
			}}}},
		},
		"podman's habits for an interactive app": {
			[]string{"-it", "a", "--name=b", "--", "-i"},
			Pod{Apps: []App{{Image: "a", Name: "b", Override: appspec.Override{Args: []string{"-i"}}}}, Run: RunOptions{Interactive: true}},
		},
		"a limit means all apps together before an image and the app behind one": {
			[]string{"--memory=1Gi", "--cpu=1.5", "a", "--memory=256M", "--cpu=500m", "--cpu-shares=512", "--pids=20", "--network-bandwidth=1M", "b"},
			Pod{
				Limits: appspec.Limits{MemoryBytes: ptr(int64(1 << 30)), CPUMillis: ptr(int64(1500))},
				Apps: []App{
					{Image: "a", Override: appspec.Override{Limits: appspec.Limits{
						MemoryBytes: ptr(int64(256_000_000)), CPUMillis: ptr(int64(500)), CPUShares: ptr(uint64(512)), Pids: ptr(int64(20)), NetBytes: ptr(int64(1_000_000)),
					}}},
					{Image: "b"},
				},
			},
		},
		"system calls": {
			[]string{"a", "--seccomp=mode=remove,errno=EPERM,@systemd/clock,reboot", "b", "--seccomp-profile=/p.json"},
			Pod{Apps: []App{
				{Image: "a", Override: appspec.Override{Seccomp: &appspec.CallSet{Errno: "EPERM", Names: []string{"@systemd/clock", "reboot"}}}},
				{Image: "b", SeccompProfile: "/p.json"},
			}},
		},
		"an empty list of capabilities keeps none": {
			[]string{"a", "--caps-retain="},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{CapsRetain: []string{}}}}},
		},
		"a stop timeout without a unit is in seconds": {
			[]string{"a", "--stop-timeout", "10"},
			Pod{Apps: []App{{Image: "a", Override: appspec.Override{StopTimeout: ptr(10 * time.Second)}}}},
		},
		"everything that is decided when a pod starts": {
			[]string{
				"--net=host", "--net=host", "--hostname=a.example", "--ipc=private", "--dns=10.0.0.1", "--dns=::1", "--dns-search=x",
				"--dns-opt=ndots:2", "--dns-domain=example", "--hosts-entry=10.0.0.3=db,database", "--hosts-entry=host", "a",
			},
			Pod{Apps: []App{{Image: "a"}}, Run: RunOptions{
				Net: []NetChoice{{Name: "host"}}, Hostname: "a.example", DNS: []string{"10.0.0.1", "::1"}, DNSSearch: []string{"x"},
				DNSOpt: []string{"ndots:2"}, DNSDomain: "example", Hosts: []HostsEntry{{"10.0.0.3", []string{"db", "database"}}},
				HostsFromHost: true,
			}},
		},
		"a pod manifest takes the place of images": {
			[]string{"--pod-manifest=pod.json", "--exit-policy=none", "--log=file", "--stage1-name=fly"},
			Pod{Manifest: "pod.json", ExitPolicy: "none", Log: "file", Stage1: Stage1{Name: "fly"}},
		},
		"store-only is a pull policy": {
			[]string{"--store-only", "a"},
			Pod{Apps: []App{{Image: "a"}}, PullPolicy: "never"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.args, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("pod (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"nothing to run":                       {nil, "no image given"},
		"an empty image":                       {[]string{""}, "empty image name"},
		"arguments of no image":                {[]string{"--", "x"}, `"--" must follow an image`},
		"two lists of arguments":               {[]string{"a", "--", "x", "---", "--", "y"}, `second "--" for "a"`},
		"three hyphens alone":                  {[]string{"a", "---", "b"}, `"---" ends the arguments of an app, and there was no "--" before it: leave it out`},
		"an unknown flag":                      {[]string{"a", "--frob=1"}, `unknown flag "--frob"`},
		"a single hyphen":                      {[]string{"-v", "a"}, `unknown flag "-v"`},
		"a flag without its value":             {[]string{"a", "--name"}, "--name needs a value"},
		"an app's flag before any image":       {[]string{"--exec=/x", "a"}, "--exec must follow an image"},
		"a name twice":                         {[]string{"a", "--name=x", "b", "--name=x"}, `app name "x" is given to both "a" and "b"`},
		"a name that is none":                  {[]string{"a", "--name=X"}, `bad value "X" for --name: a name is made of lower case letters, digits and single hyphens between them, 63 at most`},
		"a set and a profile":                  {[]string{"a", "--seccomp=read", "--seccomp-profile=default"}, `--seccomp and --seccomp-profile are both given for "a"`},
		"a set of no system calls":             {[]string{"a", "--seccomp=mode=remove,raed"}, `bad value "mode=remove,raed" for --seccomp: no architecture has a system call "raed"`},
		"both lists of capabilities":           {[]string{"a", "--caps-retain=KILL", "--caps-remove=KILL"}, `--caps-retain and --caps-remove are both given for "a"`},
		"an unknown capability":                {[]string{"a", "--caps-remove=FLY"}, `bad value "FLY" for --caps-remove: no such capability`},
		"an unknown signal":                    {[]string{"a", "--stop-signal=0"}, `bad value "0" for --stop-signal: no such signal`},
		"a soft limit above the hard one":      {[]string{"a", "--rlimit=nofile=2:1"}, `bad value "nofile=2:1" for --rlimit: rlimit RLIMIT_NOFILE: soft limit 2 is above the hard limit 1`},
		"a property that leaves the pod":       {[]string{"a", "--property=RootImage=x"}, `bad value "RootImage=x" for --property: property RootImage is not for an app to set: the pod gives each app its root`},
		"a relative working directory":         {[]string{"a", "--working-dir=srv"}, `bad value "srv" for --working-dir: must be an absolute path`},
		"a newline in a user":                  {[]string{"a", "--user=x\ny"}, `bad value "x\ny" for --user: has a control character`},
		"a negative timeout":                   {[]string{"a", "--stop-timeout=-1s"}, `bad value "-1s" for --stop-timeout: must be a duration, as 10s or 1m30s`},
		"a mount of no volume":                 {[]string{"a", "--mount=volume=v,target=/x"}, `--mount of volume "v", which no --volume defines`},
		"a volume twice":                       {[]string{"--volume=v,kind=empty", "--volume=v,kind=empty", "a"}, `volume "v" is defined twice`},
		"an unknown restart policy":            {[]string{"a", "--restart=maybe"}, `bad value "maybe" for --restart: must be one of no, on-success, on-failure, on-abnormal, on-abort, on-watchdog, always`},
		"two flavours":                         {[]string{"--stage1-name=fly", "--stage1-path=x", "a"}, `bad value "x" for --stage1-path: the flavour is given twice`},
		"a network beside the host's":          {[]string{"--net=host", "--net=lan", "a"}, `bad value "lan" for --net: host stands alone`},
		"no network beside one":                {[]string{"--net=lan,none", "a"}, `bad value "lan,none" for --net: none stands alone`},
		"a network twice, once with arguments": {[]string{"--net=lan", "--net=lan:IP=10.0.0.9", "a"}, `bad value "lan:IP=10.0.0.9" for --net: network "lan" is given twice`},
		"arguments for the host's network":     {[]string{"--net=host:IP=10.0.0.9", "a"}, `bad value "host:IP=10.0.0.9" for --net: host takes no arguments`},
		"a network's argument without a value": {[]string{"--net=lan:IP", "a"}, `bad value "lan:IP" for --net: an argument of a network is KEY=VALUE, and the next stands behind a semicolon`},
		"a name for an address":                {[]string{"--net=lan:IP=here", "a"}, `bad value "lan:IP=here" for --net: "here" is not an address`},
		"a limit that is none":                 {[]string{"--net=lan:egressRate=fast", "a"}, `bad value "lan:egressRate=fast" for --net: egressRate: quantity "fast": want a number and one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei`},
		"a path for a network":                 {[]string{"--net=../x", "a"}, `bad value "../x" for --net: want host, none, all, or the name of a network, with arguments as NAME:IP=ADDRESS;KEY=VALUE`},
		"an alias that is no name":             {[]string{"--net-alias=a b", "a"}, `bad value "a b" for --net-alias: is no name of a host`},
		"a port of the host that is not said":  {[]string{"-p", ":80", "a"}, `bad value ":80" for --publish: say which port of the host it is, or leave the colon out for a free one`},
		"a port that is none":                  {[]string{"--port=8080:http", "a"}, `bad value "8080:http" for --port: "http" is not a port, 1 to 65535`},
		"ports beside a pod manifest":          {[]string{"--pod-manifest=x", "--port=8080:80"}, `--pod-manifest excludes --port: the manifest says it`},
		"the host's name servers and others":   {[]string{"--dns=host", "--dns=10.0.0.1", "a"}, `bad value "10.0.0.1" for --dns: host and none stand alone`},
		"a name server that is no address":     {[]string{"--dns=a.example", "a"}, `bad value "a.example" for --dns: must be an address, host or none`},
		"a host name with a space":             {[]string{"--hosts-entry=10.0.0.1=a b", "a"}, `bad value "10.0.0.1=a b" for --hosts-entry: a name has a space or "#" in it`},
		"a pod manifest and an image":          {[]string{"--pod-manifest=x", "a"}, "--pod-manifest excludes an image: the manifest says it"},
		"a pod manifest and a volume":          {[]string{"--pod-manifest=x", "--volume=v,kind=empty"}, "--pod-manifest excludes --volume: the manifest says it"},
		"a flag that is known and not there":   {[]string{"--no-store", "a"}, "--no-store is not supported: every image goes through the store; use --pull-policy=update to fetch anew"},
		"a stream of no kind":                  {[]string{"a", "--stdin=log"}, `bad value "log" for --stdin: must be one of null, tty, stream`},
		"two apps at one terminal":             {[]string{"-i", "a", "b"}, "--interactive is for one app: start the others by another pod, or attach to one with raket attach"},
		"an app with two minds about it":       {[]string{"--interactive", "a", "--stdout=log"}, "--interactive excludes --stdin, --stdout and --stderr: the app has what raket run has"},
		"a word where true or false should be": {[]string{"--quiet=perhaps", "a"}, `bad value "perhaps" for --quiet: must be true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(tt.args, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPrepareRefusesWhatIsDecidedAtTheStart(t *testing.T) {
	_, err := Parse([]string{"--net=host", "a"}, Options{Verb: Prepare})
	if err == nil {
		t.Error("--net: no error")
	}
	for _, f := range Flags(Prepare) {
		if f.Scope == ForRun {
			t.Errorf("--%s is described", f.Name)
		}
	}
}

func TestGlobalFlagsStandAnywhere(t *testing.T) {
	globals := pflag.NewFlagSet("raket", pflag.ContinueOnError)
	dir := globals.String("dir", "", "")
	debug := globals.Bool("debug", false, "")
	if _, err := Parse([]string{"a", "--dir", "/x", "--debug", "--", "--dir=/y"}, Options{Globals: globals}); err != nil {
		t.Fatal(err)
	}
	if *dir != "/x" || !*debug {
		t.Errorf("dir %q, debug %v", *dir, *debug)
	}
}

func TestHelpIsAskedForOutsideOfArguments(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"a", "-h"}} {
		if _, err := Parse(args, Options{}); !errors.Is(err, pflag.ErrHelp) {
			t.Errorf("%q: got %v", args, err)
		}
	}
	if _, err := Parse([]string{"a", "--", "--help"}, Options{}); err != nil {
		t.Errorf("an app's own --help: %v", err)
	}
}

func TestEveryFlagIsDescribed(t *testing.T) {
	for _, f := range Flags(Run) {
		if f.Usage == "" {
			t.Errorf("--%s has no usage", f.Name)
		}
	}
}

func TestRunFlagsReadWhatParseReads(t *testing.T) {
	args := []string{"--net=host", "--dns=10.0.0.1", "--dns=10.0.0.2", "--hosts-entry=host"}
	var got RunOptions
	fs := pflag.NewFlagSet("run-prepared", pflag.ContinueOnError)
	RunFlags(fs, &got)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	want, err := Parse(append(args, "a"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.Run, got); diff != "" {
		t.Errorf("run options (-Parse +RunFlags):\n%s", diff)
	}
}
