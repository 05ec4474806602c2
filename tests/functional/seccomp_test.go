package functional

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/raket/raket/tests/images"
)

// probe is a system call to try, as the program calls takes it.
func probe(name string, number int, args ...uint64) string {
	text := fmt.Sprintf("%s=%d", name, number)
	for _, a := range args {
		text += fmt.Sprintf(",%d", a)
	}
	return text
}

// withCalls makes an image with the program calls.
func withCalls(t *testing.T, p *pods) string {
	t.Helper()
	calls, err := images.Program(t.Context(), "calls")
	if err != nil {
		t.Fatal(err)
	}
	return putImage(t, p.Host, "calls", images.Busybox().Layer(calls))
}

func TestDefaultFilterOfAnOCIImage(t *testing.T) {
	p := newPods(t)
	image := withCalls(t, p)
	const badFD = 1<<32 - 1
	script := "exec calls " + quote(
		probe("getpid", unix.SYS_GETPID),
		probe("unshare-user", unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		probe("setns", unix.SYS_SETNS, badFD),
		probe("clone-user", unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_FS),
		probe("clone3", unix.SYS_CLONE3),
		probe("mount", unix.SYS_MOUNT),
		probe("pivot-root", unix.SYS_PIVOT_ROOT),
		probe("userfaultfd", unix.SYS_USERFAULTFD, 1<<31),
		probe("io-uring", unix.SYS_IO_URING_SETUP),
		probe("personality-get", unix.SYS_PERSONALITY, 0xffffffff),
		probe("personality-odd", unix.SYS_PERSONALITY, 0x1),
		probe("socket-vsock", unix.SYS_SOCKET, unix.AF_VSOCK, unix.SOCK_STREAM),
		probe("socket-alg", unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET),
		probe("socket-unix", unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM),
		probe("ptrace", unix.SYS_PTRACE, 0x7fffffff),
		probe("x32", 1<<30+39),
		probe("newer-than-all", 600),
		probe("keyctl", unix.SYS_KEYCTL, 0, badFD),
		probe("add-key", unix.SYS_ADD_KEY),
		probe("bpf", unix.SYS_BPF))
	want := `getpid ok
unshare-user EPERM
setns EPERM
clone-user EPERM
clone3 ENOSYS
mount EPERM
pivot-root EPERM
userfaultfd EPERM
io-uring EPERM
personality-get ok
personality-odd EPERM
socket-vsock EPERM
socket-alg EPERM
socket-unix ok
ptrace ESRCH
x32 ENOSYS
newer-than-all ENOSYS
keyctl EPERM
add-key EPERM
bpf EPERM
`
	for name, flags := range map[string][]string{
		"an app":                               nil,
		"one of another user":                  {"--user=app"},
		"one that may not gain privileges":     {"--no-new-privileges"},
		"one of another user, who may not":     {"--user=app", "--no-new-privileges"},
		"one whose root systemd enters":        {"--property=PrivateTmp=yes"},
		"one of another user whose root it is": {"--property=PrivateTmp=yes", "--user=app"},
		"one with capabilities by properties":  {"--property=CapabilityBoundingSet=CAP_CHOWN"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, nil, app{image: image, script: script, flags: flags})
			if diff := cmp.Diff(want, r.Stdout); diff != "" || r.Code != 0 {
				t.Errorf("denied (-want +got):\n%s%+v", diff, r)
			}
		})
	}
}

func TestCapabilitiesOpenTheDefaultFilter(t *testing.T) {
	p := newPods(t)
	image := withCalls(t, p)
	script := "exec calls " + quote(probe("unshare", unix.SYS_UNSHARE, unix.CLONE_NEWUTS), probe("setns", unix.SYS_SETNS, 1<<32-1))
	r := p.run(t, nil, app{image: image, script: script, flags: []string{"--caps-retain=CAP_SYS_ADMIN"}})
	if want := "unshare ok\nsetns EBADF\n"; r.Stdout != want {
		t.Errorf("with CAP_SYS_ADMIN: %q, want %q; %+v", r.Stdout, want, r)
	}
}

const profile = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
 {"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":33,"args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
 {"names":["getpgid"],"action":"SCMP_ACT_ERRNO","errnoRet":34,"args":[{"index":4,"value":4294967296,"op":"SCMP_CMP_GE"}]},
 {"names":["getpriority"],"action":"SCMP_ACT_ERRNO","errnoRet":37,"excludes":{"caps":["CAP_SYS_NICE"]}}]}`

func TestFiltersThatAreAskedFor(t *testing.T) {
	p := newPods(t)
	image := withCalls(t, p)
	p.MustRun(t, "cd /srv/functional; printf %s "+quote(profile)+" >profile.json; echo '{' >broken.json")
	script := "exec calls " + quote(
		probe("odd", unix.SYS_PERSONALITY, 1),
		probe("get", unix.SYS_PERSONALITY, 0xffffffff),
		probe("far", unix.SYS_GETPGID, 0, 0, 0, 0, 1<<32),
		probe("near", unix.SYS_GETPGID, 0, 0, 0, 0, 1<<32-1),
		probe("getpriority", unix.SYS_GETPRIORITY),
		probe("unshare", unix.SYS_UNSHARE))
	for name, tt := range map[string]struct {
		flags        []string
		script, want string
		code         int
	}{
		"a profile with conditions":      {[]string{"--seccomp-profile=/srv/functional/profile.json"}, script, "odd EDOM;get ok;far ERANGE;near ok;getpriority ENOLCK;unshare ok", 0},
		"which depends on capabilities":  {[]string{"--seccomp-profile=/srv/functional/profile.json", "--caps-retain=CAP_SYS_NICE"}, script, "odd EDOM;get ok;far ERANGE;near ok;getpriority ok;unshare ok", 0},
		"none":                           {[]string{"--seccomp-profile=unconfined"}, script, "odd ok;get ok;far ok;near ok;getpriority ok;unshare ok", 0},
		"Docker's by name":               {[]string{"--seccomp-profile=default"}, script, "odd EPERM;get ok;far ok;near ok;getpriority ok;unshare EPERM", 0},
		"a set that is removed":          {[]string{"--seccomp=mode=remove,errno=ENOLCK,unshare,getpriority"}, script, "odd ok;get ok;far ok;near ok;getpriority ENOLCK;unshare ENOLCK", 0},
		"a group that is removed":        {[]string{"--seccomp=mode=remove,errno=EXDEV,@systemd/debug"}, script, "odd ok;get ok;far ok;near ok;getpriority ok;unshare ok", 0},
		"a set that is retained":         {[]string{"--seccomp=mode=retain,errno=EXDEV,@systemd/system-service"}, script, "odd ok;get ok;far ok;near ok;getpriority ok;unshare ok", 0},
		"rkt's default set and more":     {[]string{"--seccomp=mode=retain,errno=EXDEV,@rkt/default-whitelist,unshare"}, script, "odd EXDEV;get ok;far ok;near ok;getpriority ok;unshare ok", 0},
		"SIGSYS where no error is named": {[]string{"--seccomp=mode=remove,unshare"}, "calls " + probe("unshare", unix.SYS_UNSHARE) + "; echo $?", "159", 0},
		"SIGSYS as the app's end":        {[]string{"--seccomp=mode=remove,unshare"}, "exec calls " + probe("unshare", unix.SYS_UNSHARE), "", 159},
		"one of systemd's in its place":  {[]string{"--property=SystemCallFilter=~getpriority", "--property=SystemCallErrorNumber=ENOLCK"}, script, "odd ok;get ok;far ok;near ok;getpriority ENOLCK;unshare ok", 0},
		"what exec itself would need": {
			[]string{"--user=app", "--seccomp=mode=remove,errno=ENOLCK,unshare,capset,prctl,setresuid,setresgid,prlimit64,mount,chdir"},
			"exec calls " + quote(probe("unshare", unix.SYS_UNSHARE), probe("getpid", unix.SYS_GETPID)), "unshare ENOLCK;getpid ok", 0,
		},
		"a profile that is none":       {[]string{"--seccomp-profile=/srv/functional/broken.json"}, script, "", 254},
		"a profile that is not there":  {[]string{"--seccomp-profile=/srv/functional/absent.json"}, script, "", 254},
		"a set and a profile":          {[]string{"--seccomp=mode=remove,unshare", "--seccomp-profile=default"}, script, "", 254},
		"a system call that is no one": {[]string{"--seccomp=mode=remove,unshair"}, script, "", 254},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, nil, app{image: image, script: tt.script, flags: tt.flags})
			if got := strings.ReplaceAll(strings.TrimSpace(r.Stdout), "\n", ";"); got != tt.want || r.Code != tt.code {
				t.Errorf("%q and %d, want %q and %d; %+v", got, r.Code, tt.want, tt.code, r)
			}
		})
	}
}

func TestAppsOfAPodHaveFiltersOfTheirOwn(t *testing.T) {
	p := newPods(t)
	image := withCalls(t, p)
	script := "exec calls " + probe("unshare", unix.SYS_UNSHARE)
	uuidFile := p.dir + "-uuid"
	r := p.run(t, []string{"--exit-policy=all-ended", "--uuid-file-save=" + uuidFile},
		app{name: "open", image: image, script: script, flags: []string{"--seccomp-profile=unconfined"}},
		app{name: "errno", image: image, script: script, flags: []string{"--seccomp=mode=remove,errno=EXDEV,unshare"}},
		app{name: "killed", image: image, script: script, flags: []string{"--seccomp=mode=remove,unshare"}})
	for _, want := range []string{"unshare ok\n", "unshare EXDEV\n"} {
		if !strings.Contains(r.Stdout, want) {
			t.Errorf("no %q; %+v", want, r)
		}
	}
	uuid := strings.TrimSpace(p.MustRun(t, "cat "+uuidFile+"; rm "+uuidFile))
	s := p.status(t, uuid)
	if got := s.app("open") + ", " + s.app("killed"); got != "exited 0, exited 159" {
		t.Errorf("status: %s", got)
	}
	if text := p.MustRun(t, "cat "+p.dir+"/pods/*/"+uuid+"/status/killed"); !strings.Contains(text, "status=SYS\n") {
		t.Errorf("the record of the end: %q", text)
	}
}

func TestNoFilterWithoutTheProtection(t *testing.T) {
	p := newPods(t)
	const filters = "awk '/^Seccomp_filters:/ {print $2}' /proc/self/status"
	host, err := strconv.Atoi(p.MustRun(t, filters))
	if err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]int{"none": 2, "seccomp": 0} {
		r := p.run(t, loose(words), app{script: filters})
		if got := strings.TrimSpace(r.Stdout); got != strconv.Itoa(host+want) {
			t.Errorf("--insecure-options=%s: %s filters, %d on the host; want %d more", words, got, host, want)
		}
	}
}

func TestFilterOfAnACIKills(t *testing.T) {
	p := newPods(t)
	aci := "/srv/functional/calls.aci"
	p.MustRun(t, "mkdir -p /srv/functional")
	if err := images.ShellACI("images.example/calls", "1.0.0", "unshare -m true; echo $?").Write(p.Path(aci)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ flag, want string }{
		"what rkt kills":        {"--name=a", "159"},
		"with Docker's profile": {"--seccomp-profile=default", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.raket(t, "run", "--net=none", "--quiet", "--insecure-options=image", aci, tt.flag)
			if strings.TrimSpace(r.Stdout) != tt.want {
				t.Errorf("want %s: %+v", tt.want, r)
			}
		})
	}
}

func TestFlyFiltersToo(t *testing.T) {
	p := newPods(t)
	image := withCalls(t, p)
	script := "exec calls " + quote(probe("unshare", unix.SYS_UNSHARE, unix.CLONE_NEWUTS), probe("getpid", unix.SYS_GETPID))
	for name, tt := range map[string]struct {
		flags []string
		want  string
	}{
		"by default":          {nil, "unshare EPERM\ngetpid ok\n"},
		"another user":        {[]string{"--user=app"}, "unshare EPERM\ngetpid ok\n"},
		"with the capability": {[]string{"--caps-retain=CAP_SYS_ADMIN"}, "unshare ok\ngetpid ok\n"},
		"as asked":            {[]string{"--seccomp=mode=remove,errno=EXDEV,unshare"}, "unshare EXDEV\ngetpid ok\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := p.run(t, []string{"--stage1-name=fly"}, app{image: image, script: script, flags: tt.flags})
			if r.Stdout != tt.want || r.Code != 0 {
				t.Errorf("%q, want %q; %+v", r.Stdout, tt.want, r)
			}
		})
	}
}
