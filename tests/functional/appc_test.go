package functional

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/appc/spec/schema/types"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

// The validator of the appc specification, as its script build-ace-validator-acis makes it.
const (
	aceMain     = "/srv/functional/ace-validator-main.aci"
	aceSidekick = "/srv/functional/ace-validator-sidekick.aci"
	aceKeeper   = "/srv/functional/ace-keeper.aci"
)

var aceOnce sync.Once

// validator puts the two images of the validator on the host, and a third one beside them. The
// validator gives an answer of the metadata service 100 ms, in which a machine with other work
// to do may not start what gives it; the third asks all the time, so that it runs already.
func (p *pods) validator(t *testing.T) {
	t.Helper()
	aceOnce.Do(func() {
		program, err := images.Build(t.Context(), ".", "github.com/appc/spec/ace", "ace-validator")
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "github.com/appc/spec/ace").Output()
		if err != nil {
			t.Fatal(err)
		}
		p.MustRun(t, "mkdir -p /srv/functional")
		keeper := images.ShellACI("example.com/ace-keeper", "1.0.0", ask+"until [ -e /db/main ]; do ask pod/uuid >/dev/null; done")
		keeper.App.MountPoints = []types.MountPoint{{Name: "database", Path: "/db"}}
		local := t.TempDir() + "/keeper.aci"
		if err := keeper.Write(local); err != nil {
			t.Fatal(err)
		}
		p.Put(t, local, aceKeeper)
		for role, file := range map[string]string{"main": aceMain, "sidekick": aceSidekick} {
			manifest, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "image_manifest_"+role+".json.in"))
			if err != nil {
				t.Fatal(err)
			}
			text := strings.NewReplacer("@ACI_OS@", runtime.GOOS, "@ACI_ARCH@", runtime.GOARCH).Replace(string(manifest))
			aci := images.ACI{RawManifest: text, Files: []images.Entry{images.Dir("opt", 0o755), images.Dir("opt/acvalidator", 0o755), program}}
			local := t.TempDir() + "/x.aci"
			if err := aci.Write(local); err != nil {
				t.Fatal(err)
			}
			p.Put(t, local, file)
		}
	})
}

// aceManifest is a pod manifest with both validators, as appc's tools make it: images by ID,
// isolators of the pod's and of an app's, annotations of both.
func (p *pods) aceManifest(t *testing.T) string {
	t.Helper()
	var apps []any
	for name, file := range map[string]string{"ace-validator-main": aceMain, "ace-validator-sidekick": aceSidekick, "ace-keeper": aceKeeper} {
		id := p.MustRun(t, p.cmd()+" --insecure-options=image fetch --full --quiet "+file)
		apps = append(apps, map[string]any{
			"name": name, "image": map[string]any{"name": "example.com/" + name, "id": id},
			"mounts":      []any{map[string]any{"volume": "database", "path": "/db"}},
			"annotations": []any{map[string]any{"name": "lorem", "value": "of the pod"}, map[string]any{"name": "more", "value": `"<&>é`}},
		})
	}
	text, err := json.Marshal(map[string]any{
		"acVersion": "0.8.11", "acKind": "PodManifest", "apps": apps,
		"volumes":     []any{map[string]any{"name": "database", "kind": "empty"}},
		"isolators":   []any{map[string]any{"name": "resource/memory", "value": map[string]any{"limit": "2G"}}},
		"annotations": []any{map[string]any{"name": "ip-address", "value": "10.1.2.3"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := "/srv/functional/" + plain(t.Name()) + ".json"
	p.WriteFile(t, file, string(text), 0o644)
	t.Cleanup(func() { p.Run(t, "rm -f "+file) })
	return file
}

// The validator of the appc specification passes in full: what it tests is in the specification,
// "App Container Executor", "Apps Perspective".
func TestTheAppcValidatorPasses(t *testing.T) {
	p := newPods(t)
	p.validator(t)
	manifest := p.aceManifest(t)
	for _, tc := range []struct{ name, args string }{
		{"a pod manifest", "--net=none --pod-manifest=" + manifest},
		{"a command line, the host's network", "--net=host --annotation=color=red --volume=database,kind=host,source=/srv/functional/ace-db " + aceKeeper + " " + aceMain + " --memory=1G --cpu=1 " + aceSidekick + " --caps-retain=CAP_KILL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r testhost.Result
			for patience := time.Now().Add(2 * time.Minute); time.Now().Before(patience); {
				p.MustRun(t, "rm -rf /srv/functional/ace-db; mkdir /srv/functional/ace-db")
				r = p.Run(t, fmt.Sprintf("%s/raket --dir=%s --insecure-options=image run --quiet %s", testhost.BinDir, p.dir, tc.args))
				if !strings.Contains(r.Stderr, "Client.Timeout exceeded") {
					break
				}
				t.Log("the validator did not wait for an answer; once more")
			}
			t.Logf("the validator says:\n%s%s", r.Stdout, r.Stderr)
			if r.Code != 0 || r.Stderr != "" {
				t.Errorf("the pod ended with %d", r.Code)
			}
			lines := strings.Fields(strings.ReplaceAll(r.Stdout, " OK", ":OK"))
			for _, want := range []string{"prestart:OK", "main:OK", "sidekick:OK", "poststop:OK"} {
				if n := strings.Count(strings.Join(lines, " "), want); n != 1 {
					t.Errorf("%q stands there %d times", want, n)
				}
			}
			at := func(line string) int { return strings.Index(r.Stdout, line) }
			if !(at("prestart OK") < at("main OK") && at("main OK") < at("poststop OK")) {
				t.Error("the handlers and the app are in another order")
			}
		})
	}
}
