package appargs

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/raket/raket/pkg/podmanifest"
)

// FuzzParse holds the parser to a property: what it understood, printed in one
// way, is understood as the same. Arguments are separated by newlines.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"img",
		"--net=host\n--volume=v,kind=host,source=/srv,readOnly=true\na\n--name=one\n--\n-x\n---\nb\n--mount\nvolume=v,target=/x",
		"a\n--caps-retain=\n--rlimit=core=unlimited\n--property=MemoryMax=1G\n--stop-signal=RTMIN+3\n--",
		"--pod-manifest=x\n--quiet\n--log=none",
		"--dns=none\n--hosts-entry=::1=a,b\na\n--readonly-rootfs=0\n--stop-timeout=1h",
		"--net=default:IP=10.0.0.9;K=v,lan\n--net-alias=db\n--port=http:[::1]:80\n-p\n8080-8081:80-81/udp\n-p=1:1\na",
		"-P\n-p80\na", "-it\na\n--\nsh", "a\n--stdin=tty\n--stdout=stream\n--stderr=null",
		"a\n---", "--\n", "--help",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := Parse(strings.Split(line, "\n"), Options{})
		if err != nil {
			if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		args := print(p)
		again, err := Parse(args, Options{})
		if err != nil {
			t.Fatalf("%q is refused: %v", args, err)
		}
		if diff := cmp.Diff(p, again, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%q (-first +again):\n%s", args, diff)
		}
		for i := range p.Apps {
			if (p.Apps[i].Override.Args == nil) != (again.Apps[i].Override.Args == nil) {
				t.Errorf("%q: arguments that are none and no arguments differ", args)
			}
		}
	})
}

// print writes a pod as arguments.
func print(p Pod) []string {
	var out []string
	say := func(name, value string) {
		if value != "" {
			out = append(out, "--"+name+"="+value)
		}
	}
	flag := func(name string, set bool) {
		if set {
			out = append(out, "--"+name)
		}
	}
	for _, kv := range p.Annotations {
		say("annotation", kv.Key+"="+kv.Value)
	}
	for _, v := range p.Volumes {
		say("volume", printVolume(v))
	}
	for _, m := range p.Mounts {
		say("mount", "volume="+m.Volume+",target="+m.Target)
	}
	for _, v := range p.Env {
		say("set-env", v)
	}
	for _, v := range p.EnvFiles {
		say("set-env-file", v)
	}
	flag("inherit-env", p.InheritEnv)
	flag("no-overlay", p.NoOverlay)
	flag("quiet", p.Quiet)
	say("pod-manifest", p.Manifest)
	say("stage1-name", p.Stage1.Name)
	say("stage1-url", p.Stage1.Image)
	say("stage1-from-dir", p.Stage1.FromDir)
	say("pull-policy", p.PullPolicy)
	say("exit-policy", p.ExitPolicy)
	say("log", p.Log)
	say("uuid-file-save", p.UUIDFile)
	for _, c := range p.Run.Net {
		say("net", c.String())
	}
	for _, v := range p.Run.Aliases {
		say("net-alias", v)
	}
	for _, v := range p.Ports {
		say("port", v.String())
	}
	flag("publish-all", p.PublishAll)
	say("hostname", p.Run.Hostname)
	for _, v := range p.Run.DNS {
		say("dns", v)
	}
	for _, v := range p.Run.DNSSearch {
		say("dns-search", v)
	}
	for _, v := range p.Run.DNSOpt {
		say("dns-opt", v)
	}
	say("dns-domain", p.Run.DNSDomain)
	for _, h := range p.Run.Hosts {
		say("hosts-entry", h.IP+"="+strings.Join(h.Names, ","))
	}
	if p.Run.HostsFromHost {
		say("hosts-entry", "host")
	}
	flag("interactive", p.Run.Interactive)
	for _, a := range p.Apps {
		out = append(out, a.Image)
		out = append(out, printApp(a)...)
		if args := a.Override.Args; args != nil {
			out = append(append(append(out, "--"), args...), "---")
		}
	}
	return out
}

func printApp(a App) []string {
	var out []string
	say := func(name, value string) {
		if value != "" {
			out = append(out, "--"+name+"="+value)
		}
	}
	o := a.Override
	say("name", a.Name)
	say("signature", a.Signature)
	say("exec", strings.Join(o.Exec, " "))
	say("user", o.User)
	say("group", o.Group)
	say("supplementary-gids", strings.Join(o.Supplementary, ","))
	say("working-dir", o.WorkingDir)
	say("stdin", string(o.Streams.Stdin))
	say("stdout", string(o.Streams.Stdout))
	say("stderr", string(o.Streams.Stderr))
	for _, v := range o.Env {
		say("environment", v)
	}
	for _, k := range slices.Sorted(maps.Keys(o.Annotations)) {
		say("annotation", k+"="+o.Annotations[k])
	}
	for _, m := range a.Mounts {
		say("mount", "volume="+m.Volume+",target="+m.Target)
	}
	if o.CapsRetain != nil {
		out = append(out, "--caps-retain="+strings.Join(o.CapsRetain, ","))
	}
	if o.CapsRemove != nil {
		out = append(out, "--caps-remove="+strings.Join(o.CapsRemove, ","))
	}
	for name, b := range map[string]*bool{"readonly-rootfs": o.ReadonlyRootfs, "no-new-privileges": o.NoNewPrivileges} {
		if b != nil {
			say(name, strconv.FormatBool(*b))
		}
	}
	if o.OOMScoreAdj != nil {
		say("oom-score-adj", strconv.Itoa(*o.OOMScoreAdj))
	}
	for _, l := range o.Rlimits {
		say("rlimit", fmt.Sprintf("%s=%s:%s", l.Type, printLimit(l.Soft), printLimit(l.Hard)))
	}
	for _, p := range o.Properties {
		say("property", p.Name+"="+p.Value)
	}
	say("type", o.Type)
	say("restart", o.Restart)
	say("stop-signal", o.StopSignal)
	if o.StopTimeout != nil {
		say("stop-timeout", o.StopTimeout.String())
	}
	return out
}

func printLimit(n uint64) string {
	if n == ^uint64(0) {
		return "unlimited"
	}
	return strconv.FormatUint(n, 10)
}

func printVolume(v podmanifest.Volume) string {
	out := v.Name.String() + ",kind=" + v.Kind
	if v.Source != "" {
		out += ",source=" + v.Source
	}
	for key, b := range map[string]*bool{"readOnly": v.ReadOnly, "recursive": v.Recursive} {
		if b != nil {
			out += "," + key + "=" + strconv.FormatBool(*b)
		}
	}
	if v.Mode != nil {
		out += ",mode=" + *v.Mode
	}
	for key, n := range map[string]*int{"uid": v.UID, "gid": v.GID} {
		if n != nil {
			out += "," + key + "=" + strconv.Itoa(*n)
		}
	}
	return out
}
