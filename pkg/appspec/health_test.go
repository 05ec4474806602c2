package appspec_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

// imageWith is an app of an image with that Healthcheck.
func imageWith(t *testing.T, check string) *appspec.App {
	t.Helper()
	a, err := appspec.FromOCI([]byte(`{"config":{"Entrypoint":["/x"],"Healthcheck":` + check + `}}`))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestHealthChecks(t *testing.T) {
	sh := func(line string) []string { return []string{"/bin/sh", "-c", line} }
	defaults := appspec.Health{Interval: 30 * time.Second, Timeout: 30 * time.Second, Retries: 3, StartInterval: 5 * time.Second, OnFailure: "none"}
	with := func(change func(*appspec.Health)) *appspec.Health { h := defaults; change(&h); return &h }
	for name, tt := range map[string]struct {
		image string
		said  appspec.HealthOverride
		want  *appspec.Health
	}{
		"the image's": {
			`{"Test":["CMD-SHELL","curl x"],"Interval":1000000000,"Timeout":2000000000,"StartPeriod":3000000000,"StartInterval":400000000,"Retries":5}`, appspec.HealthOverride{},
			&appspec.Health{Argv: sh("curl x"), Interval: time.Second, Timeout: 2 * time.Second, StartPeriod: 3 * time.Second, StartInterval: 400 * time.Millisecond, Retries: 5, OnFailure: "none"},
		},
		"defaults":           {`{"Test":["CMD","/a","b"]}`, appspec.HealthOverride{}, with(func(h *appspec.Health) { h.Argv = []string{"/a", "b"} })},
		"none":               {`{"Test":["NONE"]}`, appspec.HealthOverride{}, nil},
		"nothing":            {`{}`, appspec.HealthOverride{}, nil},
		"refused":            {`{"Test":["CMD","/a"]}`, appspec.HealthOverride{Off: true}, nil},
		"replaced by none":   {`{"Test":["CMD","/a"]}`, appspec.HealthOverride{Cmd: "none"}, nil},
		"a shell's":          {`{}`, appspec.HealthOverride{Cmd: `[ -e "/ok" ]`}, with(func(h *appspec.Health) { h.Argv = sh(`[ -e "/ok" ]`) })},
		"an argument vector": {`{}`, appspec.HealthOverride{Cmd: `["/a","b c"]`}, with(func(h *appspec.Health) { h.Argv = []string{"/a", "b c"} })},
		"Docker's words":     {`{}`, appspec.HealthOverride{Cmd: `["CMD-SHELL","a"]`}, with(func(h *appspec.Health) { h.Argv = sh("a") })},
		"more of the image's": {`{"Test":["CMD","/a"],"Retries":9}`, appspec.HealthOverride{Interval: time.Second, OnFailure: "kill", Ready: true}, with(func(h *appspec.Health) {
			h.Argv, h.Retries, h.Interval, h.StartInterval, h.OnFailure, h.Ready = []string{"/a"}, 9, time.Second, time.Second, "kill", true
		})},
		"an image has no say in what follows": {`{"Test":["CMD","/a"],"OnFailure":"kill","Ready":true}`, appspec.HealthOverride{}, with(func(h *appspec.Health) { h.Argv = []string{"/a"} })},
	} {
		t.Run(name, func(t *testing.T) {
			a := imageWith(t, tt.image)
			if err := a.Apply(appspec.Override{Health: tt.said}); err != nil {
				t.Fatal(err)
			}
			got, err := appspec.HealthOf(a.Spec)
			if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestHealthChecksThatAreNone(t *testing.T) {
	for check, want := range map[string]string{
		`{"Test":["RUN","x"]}`:                                `test "RUN" is none of`,
		`{"Test":["CMD"]}`:                                    "test without a command",
		`{"Test":["CMD-SHELL","a","b"]}`:                      "CMD-SHELL with 2 command lines",
		`{"Test":["CMD","a"],"Interval":-1}`:                  "interval of -1ns",
		`{"Test":["CMD","a"],"Timeout":1}`:                    "timeout of 1ns",
		`{"Test":["CMD","a"],"Retries":-3}`:                   "-3 retries",
		`{"Test":"curl"}`:                                     "Test: a JSON string does not belong there",
		`{"Test":["CMD","a\u0000b"]}`:                         "NUL",
		`{"Test":["CMD","a"],"Interval":1e300}`:               "does not belong there",
		`{"Test":["CMD","a"],"Interval":9223372036854775807}`: "from 1ms to a year",
	} {
		a := imageWith(t, check)
		_, err := a.Resolve(appspec.Root{Executable: func(string) bool { return true }})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", check, err)
		}
		// The operator can leave it out.
		b := imageWith(t, check)
		if err := b.Apply(appspec.Override{Health: appspec.HealthOverride{Off: true}}); err != nil {
			t.Errorf("%s: %v", check, err)
		}
		if _, err := b.Resolve(appspec.Root{Executable: func(string) bool { return true }}); err != nil {
			t.Errorf("%s, left out: %v", check, err)
		}
	}
}

func TestTheProgramOfAHealthCheckIsFoundInTheImage(t *testing.T) {
	a := imageWith(t, `{"Test":["CMD","curl","x"]}`)
	spec, err := a.Resolve(appspec.Root{Executable: func(p string) bool { return p == "/usr/bin/curl" || p == "/x" }})
	if err != nil {
		t.Fatal(err)
	}
	h, err := appspec.HealthOf(spec)
	if err != nil || !cmp.Equal(h.Argv, []string{"/usr/bin/curl", "x"}) {
		t.Errorf("%v, %v", err, h)
	}
}
