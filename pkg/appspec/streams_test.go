package appspec_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/raket/raket/pkg/appspec"
)

func TestModesOfStreams(t *testing.T) {
	for _, tc := range []struct {
		name     string
		override appspec.Override
		want     appspec.Streams
		err      string
	}{
		{name: "nothing said"},
		{name: "flags", override: appspec.Override{Streams: appspec.Streams{Stdin: "tty", Stdout: "stream", Stderr: "null"}},
			want: appspec.Streams{Stdin: "tty", Stdout: "stream", Stderr: "null"}},
		{name: "annotations of rkt's pod manifests", override: appspec.Override{Annotations: map[string]string{
			"coreos.com/rkt/stage2/stdin": "stream", "coreos.com/rkt/stage2/stderr": "log"}},
			want: appspec.Streams{Stdin: "stream", Stderr: "log"}},
		{name: "a flag wins over an annotation", override: appspec.Override{
			Annotations: map[string]string{"coreos.com/rkt/stage2/stdout": "null"}, Streams: appspec.Streams{Stdout: "tty"}},
			want: appspec.Streams{Stdout: "tty"}},
		{name: "an annotation of raket's", override: appspec.Override{Annotations: map[string]string{"io.raket.stdin": "tty"}},
			want: appspec.Streams{Stdin: "tty"}},
		{name: "a log to read from", override: appspec.Override{Streams: appspec.Streams{Stdin: "log"}}, err: "null, tty, stream"},
		{name: "a word that is none", override: appspec.Override{Annotations: map[string]string{"coreos.com/rkt/stage2/stdout": "x"}},
			err: `annotation coreos.com/rkt/stage2/stdout: "x" is not one of`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := appspec.New()
			a.Entrypoint = []string{"/x"}
			err := a.Apply(tc.override)
			if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Fatalf("error %v, want %q", err, tc.err)
			}
			if err != nil {
				return
			}
			spec, err := a.Resolve(appspec.Root{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := appspec.StreamsOf(spec)
			if diff := cmp.Diff(tc.want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			term, has := appspec.LookupEnv(spec.Process.Env, "TERM")
			if tty := got.Stdin == "tty" || got.Stdout == "tty"; has != tty {
				t.Errorf("TERM is %q", term)
			}
		})
	}
}

// An image does not choose how its app is connected.
func TestImagesDoNotChooseStreams(t *testing.T) {
	a, err := appspec.FromOCI([]byte(`{"os":"linux","architecture":"amd64","config":{"Entrypoint":["/x"],"Labels":{"io.raket.stdin":"tty","coreos.com/rkt/stage2/stdout":"tty"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	spec, err := a.Resolve(appspec.Root{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := appspec.StreamsOf(spec); err != nil || got != (appspec.Streams{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSpecsWithBadStreamsAreRefused(t *testing.T) {
	a := appspec.New()
	a.Entrypoint = []string{"/x"}
	spec, err := a.Resolve(appspec.Root{})
	if err != nil {
		t.Fatal(err)
	}
	spec.Annotations["io.raket.stdout"] = "tty\nx"
	if err := appspec.Check(spec); err == nil || !strings.Contains(err.Error(), "io.raket.stdout") {
		t.Errorf("error %v", err)
	}
}

func TestAppsThatNameTheirOutput(t *testing.T) {
	for name, tc := range map[string]struct {
		config string
		want   bool
	}{
		"its entrypoint":  {`"Entrypoint":["/bin/sh","-c","echo x >/dev/stderr"]`, true},
		"its arguments":   {`"Entrypoint":["/a"],"Cmd":["--log=/dev/stdout"]`, true},
		"its environment": {`"Entrypoint":["/a"],"Env":["LOG=/proc/self/fd/1"]`, true},
		"not at all":      {`"Entrypoint":["/a"],"Cmd":["--log=-"],"Env":["LOG=/dev/null"]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := appspec.FromOCI([]byte(`{"os":"linux","architecture":"amd64","config":{` + tc.config + `}}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := a.NamesOutput(); got != tc.want {
				t.Errorf("%v", got)
			}
		})
	}
}
