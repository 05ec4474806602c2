package seccomp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestProfilesDependOnCapabilitiesAndKernel(t *testing.T) {
	const profile = `{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"syscalls":[
		{"name":"read","action":"SCMP_ACT_ALLOW"},
		{"names":["mount"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_ADMIN"]}},
		{"names":["reboot"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_SYS_ADMIN"]}},
		{"names":["keyctl"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"3.0"}},
		{"names":["clone3"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"200.0"}},
		{"names":["swapon"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["s390x"]}}]}`
	for caps, want := range map[string]string{
		"":              "read allowed, mount ENOSYS, reboot allowed, keyctl allowed, clone3 ENOSYS, swapon ENOSYS",
		"CAP_SYS_ADMIN": "read allowed, mount allowed, reboot ENOSYS, keyctl allowed, clone3 ENOSYS, swapon ENOSYS",
	} {
		f, err := Profile([]byte(profile), strings.Fields(caps))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, verdicts(t, f, "read", "mount", "reboot", "keyctl", "clone3", "swapon")); diff != "" {
			t.Errorf("with %q (-want +got):\n%s", caps, diff)
		}
	}
}

func TestRktsDefaultKills(t *testing.T) {
	f, err := DefaultKill([]string{"CAP_SYS_ADMIN"})
	if err != nil {
		t.Fatal(err)
	}
	if got := verdicts(t, f, "read", "mount", "keyctl", "clone3"); got != "read allowed, mount allowed, keyctl SIGSYS, clone3 allowed" {
		t.Error(got)
	}
}

func TestProfilesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		``:                "seccomp profile: unexpected end",
		`[]`:              "seccomp profile: ",
		`null`:            "defaultAction: is required",
		`{"syscalls":[]}`: "defaultAction: is required",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null]}`:                                                           "syscalls[0]: is null",
		`{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86"],"archMap":[{}]}`:                            "archMap",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"read","names":["write"],"action":"SCMP_ACT_ALLOW"}]}`:    "'name' and 'names'",
		`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"includes":{"minKernel":"x"},"action":"foo"}]}`: "kernel version",
		strings.Repeat(" ", MaxProfileBytes+1):                                                                           "at most",
	} {
		if _, err := Profile([]byte(text), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q: error %v, want %q", text, err, want)
		}
	}
}

func FuzzProfile(f *testing.F) {
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ERRNO","archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]}],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}],"excludes":{"caps":["CAP_KILL"]}}]}`))
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[null,{}]}`))
	f.Add([]byte(`{"defaultAction":"SCMP_ACT_ALLOW","archMap":[null],"syscalls":[{"includes":{"minKernel":null}}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		filter, err := Profile(text, []string{"CAP_KILL"})
		if err != nil {
			return
		}
		if p, err := Compile(filter, "amd64"); err == nil && len(p.Code) < 5 {
			t.Errorf("%q: a program of %d instructions", text, len(p.Code))
		}
		if filter.DefaultAction == specs.LinuxSeccompAction("") {
			t.Errorf("%q: no default", text)
		}
	})
}
