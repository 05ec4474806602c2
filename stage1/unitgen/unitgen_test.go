package unitgen_test

import (
	"strings"
	"testing"

	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/unitgen"
)

// spec is the least that an app needs.
func spec(args ...string) *appspec.Spec {
	return &appspec.Spec{Process: &appspec.Process{Args: args, Cwd: "/"}, Annotations: map[string]string{}}
}

func oneApp(a unitgen.App) unitgen.Pod {
	return unitgen.Pod{ExitPolicy: stageabi.ExitAnyFailed, Log: unitgen.Log{Mode: stageabi.LogNone}, Apps: []unitgen.App{a}}
}

func unit(t *testing.T, a unitgen.App) string {
	t.Helper()
	units, err := unitgen.Generate(oneApp(a))
	if err != nil {
		t.Fatal(err)
	}
	return string(units[a.Name+".service"])
}

func TestBytesThatAreNoTextReachTheApp(t *testing.T) {
	s := spec("/bin/a", "\xff\xfe", "a\x80b")
	s.Process.Env = []string{"A=\xff", "B\xff=1"}
	got := unit(t, unitgen.App{Name: "a", Spec: s})
	for _, want := range []string{`"\xff\xfe" "a\x80b"`, `"-e" "/raket/environment/a"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in:\n%s", want, got)
		}
	}
	if got, want := string(unitgen.Environment(s)), "A=\xff\x00B\xff=1\x00"; got != want {
		t.Errorf("in the file is %q, want %q", got, want)
	}
}

// What people read must not keep an app from starting.
func TestImageNamesOfAnyBytesDescribeTheUnit(t *testing.T) {
	for image, want := range map[string]string{
		"docker://r.example/a:1":  "docker://r.example/a:1",
		"oci:/a\nExecStart=/evil": `"oci:/a\nExecStart=/evil"`,
		`oci:/a\`:                 `"oci:/a\\"`,
		" oci:/a ":                `" oci:/a "`,
		"oci:/\xff":               `"oci:/\xff"`,
		"oci:/100%n":              "oci:/100%%n",
	} {
		got := unit(t, unitgen.App{Name: "a", Image: image, Spec: spec("/bin/a")})
		if !strings.Contains(got, "\nDescription="+want+"\n") {
			t.Errorf("%q: no %s in:\n%s", image, want, got)
		}
	}
}

func TestWhatNoUnitCanHoldIsRefused(t *testing.T) {
	property := func(name, value string) *appspec.Spec {
		s := spec("/bin/a")
		s.Annotations[appspec.PropertyPrefix+name] = value
		return s
	}
	for name, tc := range map[string]struct {
		spec *appspec.Spec
		err  string
	}{
		"no command":                      {spec(), "no command"},
		"no process":                      {&appspec.Spec{}, "no command"},
		"a NUL in an argument":            {spec("/bin/a", "a\x00b"), "NUL"},
		"a directive of the pod's":        {property("FailureAction", "none"), "exit policy"},
		"a directive that brings another": {property("MemoryMax=1\nUser", "0"), "not the name of a directive"},
		"a value that leaves its line":    {property("MemoryMax", "1\\"), "not one line"},
		"a command outside the root":      {property("ExecStartPost", "+/bin/sh"), "leave the app's root"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unitgen.Generate(oneApp(unitgen.App{Name: "a", Spec: tc.spec}))
			if err == nil || !strings.Contains(err.Error(), "app a: ") && !strings.Contains(err.Error(), "unit a.service: ") || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("error %v, want one of the app, with %q", err, tc.err)
			}
		})
	}
}

// Unit names that systemd or the pod gives a meaning are not apps' to have.
func TestNoAppReplacesAUnitOfThePod(t *testing.T) {
	frame, err := unitgen.Generate(unitgen.Pod{ExitPolicy: stageabi.ExitAnyFailed, Log: unitgen.Log{Mode: stageabi.LogNone}})
	if err != nil {
		t.Fatal(err)
	}
	for name := range frame {
		app, isService := strings.CutSuffix(name, ".service")
		// Names of apps hold lower-case letters, digits and dashes.
		if isService && strings.Trim(app, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" {
			t.Errorf("an app can be named %s", app)
		}
	}
}

// Of systemd 254 and later the pod would end with the first failure that it starts an app again
// after.
func TestRestartsThatSystemdTellsOf(t *testing.T) {
	for name, tc := range map[string]struct {
		props map[string]string
		tells bool
		want  string
	}{
		"a new systemd":         {map[string]string{"Restart": "always"}, true, "RestartMode=direct\n"},
		"an old one":            {map[string]string{"Restart": "always"}, false, ""},
		"an app that ends once": {nil, true, ""},
		"as the app has it":     {map[string]string{"Restart": "always", "RestartMode": "normal"}, true, "RestartMode=normal\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := spec("/bin/a")
			for k, v := range tc.props {
				s.Annotations[appspec.PropertyPrefix+k] = v
			}
			p := oneApp(unitgen.App{Name: "a", Spec: s})
			p.TellsOfRestarts = tc.tells
			units, err := unitgen.Generate(p)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for line := range strings.Lines(string(units["a.service"])) {
				if strings.HasPrefix(line, "RestartMode=") {
					got += line
				}
			}
			if got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}
