package appspec_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/raket/raket/pkg/appspec"
)

// describeFilter says what becomes of calls that no rule names, and of some that
// are allowed whatever their arguments.
func describeFilter(f *appspec.Seccomp) string {
	if f == nil {
		return "none"
	}
	text := string(f.DefaultAction)
	for _, name := range []string{"read", "mount", "kcmp"} {
		if slices.ContainsFunc(f.Syscalls, func(s specs.LinuxSyscall) bool {
			return s.Action == specs.ActAllow && len(s.Args) == 0 && slices.Contains(s.Names, name)
		}) {
			text += " " + name
		}
	}
	return text
}

func TestWhereAFilterComesFrom(t *testing.T) {
	oci := func() (*appspec.App, error) {
		return appspec.FromOCI([]byte(`{"os":"linux","architecture":"amd64","config":{"Entrypoint":["/a"]}}`))
	}
	aci := func(isolators string) func() (*appspec.App, error) {
		return func() (*appspec.App, error) {
			return appspec.FromAppcApp([]byte(`{"exec":["/a"],"user":"0","group":"0","isolators":[` + isolators + `]}`))
		}
	}
	bundle := func() (*appspec.App, error) {
		return appspec.FromSpec(&appspec.Spec{
			Version: "1.0.2", Process: &appspec.Process{Args: []string{"/a"}, Cwd: "/"}, Root: &specs.Root{Path: "rootfs"},
		}), nil
	}
	const remove = `{"name":"os/linux/seccomp-remove-set","value":{"set":["%s"]}}`
	set := &appspec.CallSet{Retain: true, Errno: "EPERM", Names: []string{"read"}}
	profile := &appspec.CallFilter{Kind: appspec.FilterProfile, Profile: []byte(`{"defaultAction":"SCMP_ACT_TRAP","syscalls":[
		{"names":["kcmp"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_SYS_PTRACE"]}}]}`)}
	for name, tt := range map[string]struct {
		app      func() (*appspec.App, error)
		override appspec.Override
		loose    bool
		want     string
	}{
		"an OCI image's is Docker's":           {oci, appspec.Override{}, false, "SCMP_ACT_ERRNO read"},
		"with what its capabilities are for":   {oci, appspec.Override{CapsRetain: []string{"CAP_SYS_ADMIN"}}, false, "SCMP_ACT_ERRNO read mount"},
		"a set replaces it":                    {oci, appspec.Override{Seccomp: set}, false, "SCMP_ACT_ERRNO read"},
		"a set may allow everything":           {oci, appspec.Override{Seccomp: &appspec.CallSet{Retain: true, Names: []string{"@appc.io/all"}}}, false, "none"},
		"a profile replaces it":                {oci, appspec.Override{Filter: profile}, false, "SCMP_ACT_TRAP"},
		"a profile goes by capabilities":       {oci, appspec.Override{Filter: profile, CapsRetain: []string{"CAP_SYS_PTRACE"}}, false, "SCMP_ACT_TRAP kcmp"},
		"it may be left out":                   {oci, appspec.Override{Filter: &appspec.CallFilter{}}, false, "none"},
		"a property of systemd's replaces it":  {oci, appspec.Override{Properties: []appspec.Property{{Name: "SystemCallFilter", Value: "~reboot"}}}, false, "none"},
		"but not a set":                        {oci, appspec.Override{Seccomp: set, Properties: []appspec.Property{{Name: "SystemCallFilter", Value: "~reboot"}}}, false, "SCMP_ACT_ERRNO read"},
		"nor a profile":                        {oci, appspec.Override{Filter: profile, Properties: []appspec.Property{{Name: "SystemCallFilter", Value: "~reboot"}}}, false, "SCMP_ACT_TRAP"},
		"a pod without filters":                {oci, appspec.Override{}, true, "none"},
		"but for one that is asked for":        {oci, appspec.Override{Seccomp: set}, true, "SCMP_ACT_ERRNO read"},
		"an ACI's kills":                       {aci(""), appspec.Override{}, false, "SCMP_ACT_KILL_PROCESS read"},
		"an isolator of its replaces it":       {aci(fmt.Sprintf(remove, "reboot")), appspec.Override{}, false, "SCMP_ACT_ALLOW"},
		"to remove nothing is the default":     {aci(fmt.Sprintf(remove, "@appc.io/empty")), appspec.Override{}, false, "SCMP_ACT_KILL_PROCESS read"},
		"a profile replaces an isolator":       {aci(fmt.Sprintf(remove, "reboot")), appspec.Override{Filter: &appspec.CallFilter{Kind: appspec.FilterDefault}}, false, "SCMP_ACT_ERRNO read"},
		"a pod without filters has none of it": {aci(fmt.Sprintf(remove, "reboot")), appspec.Override{}, true, "none"},
		"a bundle's is its own":                {bundle, appspec.Override{}, false, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := tt.app()
			if err != nil {
				t.Fatal(err)
			}
			a.Loosen(appspec.Loose{Seccomp: tt.loose})
			if err := a.Apply(tt.override); err != nil {
				t.Fatal(err)
			}
			spec, err := a.Resolve(appspec.Root{})
			if err != nil {
				t.Fatal(err)
			}
			if got := describeFilter(spec.Linux.Seccomp); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if err := appspec.Refused(spec); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFiltersThatAreRefused(t *testing.T) {
	for want, o := range map[string]appspec.Override{
		"both by a set and by a profile":         {Seccomp: &appspec.CallSet{Names: []string{"read"}}, Filter: &appspec.CallFilter{}},
		`no architecture has a system call "ra"`: {Seccomp: &appspec.CallSet{Names: []string{"ra"}}},
		`a system call "re"`:                     {Filter: &appspec.CallFilter{Kind: appspec.FilterProfile, Profile: []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["re"],"action":"SCMP_ACT_ERRNO"}]}`)}},
		"seccomp profile: unexpected end":        {Filter: &appspec.CallFilter{Kind: appspec.FilterProfile}},
	} {
		if err := appspec.New().Apply(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	a := appspec.New()
	a.Entrypoint = []string{"/a"}
	a.Filter = appspec.CallFilter{Kind: appspec.FilterProfile, Profile: []byte(`{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
		{"names":["nope"],"action":"SCMP_ACT_ERRNO","includes":{"caps":["CAP_CHOWN"]}}]}`)}
	if _, err := a.Resolve(appspec.Root{}); err == nil || !strings.HasPrefix(err.Error(), "linux.seccomp: syscalls[0]: names: ") {
		t.Errorf("a name behind a condition: error %v", err)
	}
}
