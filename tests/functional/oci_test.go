package functional

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/raket/raket/tests/images"
)

// runtimetest of the OCI's runtime-tools compares what an app finds with the app's own
// runtime-spec. Failures that are expected stand in docs/conformance.md with their reasons; one
// more is a regression, one less belongs out of both lists.
func TestRuntimetestPasses(t *testing.T) {
	p := newPods(t)
	program, err := images.Build(t.Context(), "../conformance", "github.com/opencontainers/runtime-tools/cmd/runtimetest", "usr/bin/runtimetest")
	if err != nil {
		t.Fatal(err)
	}
	image := putImage(t, p.Host, "runtimetest", images.Busybox().Layer(program))
	for _, tc := range []struct {
		name    string
		flags   []string
		pod     []string
		net     string // default: none
		expects []string
	}{
		{name: "an app as it comes"},
		{name: "an app with all that can be said", flags: []string{
			"--user=1000", "--group=1000", "--supplementary-gids=1001,1002", "--readonly-rootfs=true", "--rlimit=nofile=1024", "--rlimit=core=1:2",
			"--oom-score-adj=500", "--no-new-privileges=true", "--caps-retain=CAP_NET_BIND_SERVICE,CAP_KILL", "--working-dir=/tmp", "--environment=A=b",
			"--seccomp=mode=remove,errno=EPERM,@systemd/clock", "--memory=1G", "--cpu=1",
		}},
		{name: "root with more capabilities", flags: []string{"--caps-retain=CAP_SYS_ADMIN,CAP_SYS_PTRACE,CAP_NET_ADMIN,CAP_DAC_OVERRIDE"}},
		{name: "a root that systemd makes", flags: []string{"--property=PrivateTmp=yes"}, expects: []string{
			"mounts[1] (/dev) found in order", "mounts[2] (/dev/pts) found in order", "mounts[3] (/dev/shm) found in order",
			"mounts[4] (/dev/mqueue) found in order", "mounts[5] (/sys) found",
			"expected bounding capability CAP_MKNOD set", "expected effective capability CAP_MKNOD set", "expected permitted capability CAP_MKNOD set",
		}},
		{name: "fly", pod: []string{"--stage1-name=fly"}, net: "host", expects: []string{
			"mounts[3] (/dev/shm) found in order", "mounts[5] (/sys) found", `cannot read masked path "/proc/keys"`, `cannot read masked path "/proc/timer_list"`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			conf := "/srv/functional/conf-" + plain(tc.name)
			p.MustRun(t, "rm -rf "+conf+"; mkdir -p "+conf)
			flags := append([]string{"prepare", "--quiet", "--volume=conf,kind=host,source=" + conf + ",readOnly=true"}, tc.pod...)
			uuid := p.must(t, podLine(flags, app{
				image: image, args: []string{"/usr/bin/runtimetest", "--path=/conf"},
				flags: append([]string{"--mount=volume=conf,target=/conf"}, tc.flags...),
			})...)
			spec := p.ReadFile(t, p.dir+"/pods/prepared/"+uuid+"/apps/app/config.json")
			p.WriteFile(t, conf+"/config.json", p.withoutMissing(t, spec), 0o644)
			r := p.raket(t, "run-prepared", "--net="+cmp.Or(tc.net, "none"), uuid)
			passed, failed := tap(r.Stdout)
			t.Logf("%d passed, not ok: %q", passed, failed)
			expects := slices.DeleteFunc(tc.expects, func(f string) bool {
				path, is := strings.CutPrefix(f, "cannot read masked path ")
				return is && !strings.Contains(p.ReadFile(t, conf+"/config.json"), path)
			})
			if diff := gocmp.Diff(expects, failed); diff != "" || passed < 300 {
				t.Errorf("%d passed; failures (-expected +found):\n%s", passed, diff)
			}
			if r.Code != 0 || r.Stderr != "" {
				t.Errorf("it ended with %d: %s", r.Code, r.Stderr)
			}
		})
	}
}

// withoutMissing is an app spec without the kernel's files that this kernel does not have:
// runtimetest stops at the first.
func (p *pods) withoutMissing(t *testing.T, text string) string {
	t.Helper()
	spec := decode[map[string]any](t, text)
	linux, _ := spec["linux"].(map[string]any)
	for _, list := range []string{"maskedPaths", "readonlyPaths"} {
		paths, _ := linux[list].([]any)
		there := strings.Fields(p.Run(t, "ls -d "+strings.Trim(fmt.Sprint(paths), "[]")).Stdout)
		linux[list] = slices.DeleteFunc(paths, func(path any) bool { return !slices.Contains(there, fmt.Sprint(path)) })
	}
	out, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

var tapLine = regexp.MustCompile(`(?m)^(not )?ok \d+ (- )?(.*)$`)

// tap counts what has passed of a Test Anything Protocol, and lists what has not. What is marked
// as still to be written there does not count.
func tap(text string) (passed int, failed []string) {
	for _, m := range tapLine.FindAllStringSubmatch(text, -1) {
		switch {
		case m[1] == "":
			passed++
		case !strings.HasPrefix(m[3], "# TODO"):
			failed = append(failed, m[3])
		}
	}
	return passed, failed
}
