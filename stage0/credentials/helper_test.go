package credentials

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// helper puts a script docker-credential-NAME into PATH.
func helper(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-"+name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// keeper answers for registries as files of that name say, and writes down what
// it is asked.
const keeper = `[ "$1" = get ] && [ $# = 1 ] || exit 9
read -r key || [ -n "$key" ] || exit 8
echo "$key" >>"$ASKED"
case $key in
  a.example) echo '{"ServerURL": "a.example", "Username": "u", "Secret": "hunter2"}' ;;
  token.example) echo '{"Username": "<token>", "Secret": "hunter2"}' ;;
  https://index.docker.io/v1/) echo '{"Username": "hub", "Secret": "hunter2"}' ;;
  fails.example) echo 'hunter2 leaked'; echo 'hunter2 leaked' >&2; exit 1 ;;
  junk.example) echo 'hunter2' ;;
  endless.example) yes hunter2 ;;
  hangs.example) sleep 1000 & echo $! >"$CHILD"; wait ;;
  *) echo 'credentials not found in native keychain'; exit 1 ;;
esac
`

func TestHelpers(t *testing.T) {
	helper(t, "fake", keeper)
	const program = "docker-credential-fake"
	u := Credential{Username: "u", Password: secret, Source: program}
	const manual = ".config/containers/auth.json"
	for name, tt := range map[string]struct {
		file     string
		helpers  []string
		registry string
		want     Credential
		asked    string
	}{
		"of a registry":                  {file: `{"credHelpers": {"a.example": "fake"}}`, registry: "a.example", want: u, asked: "a.example\n"},
		"above its auths":                {file: `{"credHelpers": {"none.example": "fake"}, "auths": {"none.example": ` + auth("file") + `}}`, registry: "none.example", asked: "none.example\n"},
		"not of another":                 {file: `{"credHelpers": {"a.example": "fake"}, "auths": {"b.example": ` + auth("file") + `}}`, registry: "b.example", want: Credential{Username: "file", Password: secret, Source: manual}},
		"of all registries":              {file: `{"credsStore": "fake", "auths": {"a.example": {}}}`, registry: "a.example", want: u, asked: "a.example\n"},
		"that has none is anonymous":     {file: `{"credsStore": "fake"}`, registry: "none.example", asked: "none.example\n"},
		"a token":                        {file: `{"credsStore": "fake"}`, registry: "token.example", want: Credential{IdentityToken: secret, Source: program}, asked: "token.example\n"},
		"Docker's registry by its key":   {file: `{"credsStore": "fake"}`, registry: "docker.io", want: Credential{Username: "hub", Password: secret, Source: program}, asked: "https://index.docker.io/v1/\n"},
		"of registries.conf, first":      {file: `{"auths": {"a.example": ` + auth("file") + `}}`, helpers: []string{"fake", "containers-auth.json"}, registry: "a.example", want: u, asked: "a.example\n"},
		"of registries.conf, last":       {file: `{"auths": {"a.example": ` + auth("file") + `}}`, helpers: []string{"containers-auth.json", "fake"}, registry: "a.example", want: Credential{Username: "file", Password: secret, Source: manual}},
		"without the files":              {file: `{"auths": {"none.example": ` + auth("file") + `}}`, helpers: []string{"fake"}, registry: "none.example", asked: "none.example\n"},
		"after files that have not any ": {file: `{}`, helpers: []string{"containers-auth.json", "fake"}, registry: "a.example", want: u, asked: "a.example\n"},
	} {
		t.Run(name, func(t *testing.T) {
			root, o := host(t, map[string]string{manual: tt.file})
			asked := filepath.Join(root, "asked")
			t.Setenv("ASKED", asked)
			o.Helpers = tt.helpers
			f := New(o)
			for range 2 {
				got, err := f.ForRegistry(t.Context(), tt.registry, "x/y")
				if err != nil {
					t.Fatal(err)
				}
				got.Source = strings.TrimPrefix(got.Source, root+"/")
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("credential (-want +got):\n%s", diff)
				}
			}
			raw, err := os.ReadFile(asked)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.asked, string(raw)); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHelpersThatFail(t *testing.T) {
	helper(t, "fake", keeper)
	t.Setenv("ASKED", "/dev/null")
	child := filepath.Join(t.TempDir(), "child")
	t.Setenv("CHILD", child)
	t.Cleanup(func() { ended(t, child) })
	for registry, want := range map[string]string{
		"fails.example":   "exit status 1",
		"junk.example":    "its answer is not the JSON object that a helper prints",
		"endless.example": "it printed more than 64 KiB",
		"hangs.example":   "it took longer than 1s",
	} {
		t.Run(registry, func(t *testing.T) {
			root, o := host(t, map[string]string{".docker/config.json": `{"credsStore": "fake"}`})
			if registry == "hangs.example" {
				o.HelperTimeout = time.Second // time enough to start what has to end with it
			}
			_, err := New(o).ForRegistry(t.Context(), registry, "")
			full := fmt.Sprintf(`credentials for %q: %s/.docker/config.json: ask docker-credential-fake for %q: %s`, registry, root, registry, want)
			if err == nil || err.Error() != full {
				t.Fatalf("got %v, want %s", err, full)
			}
			var failed *HelperError
			if !errors.As(err, &failed) || failed.Hint() != "try it: echo "+registry+" | docker-credential-fake get" {
				t.Errorf("hint %q", failed.Hint())
			}
		})
	}
}

// ended waits for the end of the process whose PID is in a file.
func ended(t *testing.T, file string) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; runtime.Gosched() {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(raw)) + "/stat")
		// A zombie has ended; who is to collect it is another's matter.
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("what the helper started lives on: %s", stat)
		}
	}
}

func TestAHelperThatCannotStartIsNotPassedOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-fake"), []byte("#!/nonexistent/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	_, o := host(t, map[string]string{".docker/config.json": `{"credsStore": "fake"}`})
	if c, err := New(o).ForRegistry(t.Context(), "a.example", ""); err == nil {
		t.Errorf("got %v", c)
	}
}
