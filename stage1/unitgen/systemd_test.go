package unitgen_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/stage1/unitgen"
)

// verify has systemd load all units of a pod and returns what it complains of.
func verify(t *testing.T, units map[string][]byte) string {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed (Debian package systemd)")
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no", "--generators=no"}
	for name, text := range units {
		// These programs are there in pods only.
		for _, program := range []string{unitgen.ExecPath, "/.raket/exec", "/raket/bin/mux", unitgen.ProxyPath, unitgen.MetadataProgram, unitgen.ForwardProgram, unitgen.HealthPath, "/.raket/health", unitgen.BandwidthPath, "/.raket/bandwidth"} {
			text = bytes.ReplaceAll(text, []byte(`"`+program+`"`), []byte(`"/bin/true"`))
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	for alias, name := range unitgen.Aliases() {
		if err := os.Symlink(name, filepath.Join(dir, alias)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), analyze, args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir, "SYSTEMD_LOG_TARGET=console")
	out, err := cmd.CombinedOutput()
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(out), dir+"/", "")
}

func TestSystemdTakesTheUnits(t *testing.T) {
	for _, name := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if complaint := verify(t, generate(t, name)); complaint != "" {
				t.Error("systemd:\n" + complaint)
			}
		})
	}
}

// The test above is worth something only if a mistake shows.
func TestSystemdComplainsOfMistakes(t *testing.T) {
	for name, change := range map[string][2]string{
		"a key in the wrong section": {"Type=exec", "Conflicts=x.target"},
		"a value of the wrong kind":  {"TimeoutStopSec=10", "TimeoutStopSec=soon"},
		"no such unit":               {"Wants=apps.target", "Requires=gone.target"},
		"a path that is none":        {"StandardOutput=append:/raket/fd/1", "StandardOutput=append:x"},
	} {
		t.Run(name, func(t *testing.T) {
			units := generate(t, "one-app")
			text := bytes.Replace(units["hello.service"], []byte(change[0]+"\n"), []byte(change[1]+"\n"), 1)
			if bytes.Equal(text, units["hello.service"]) {
				t.Fatalf("no %q in the unit", change[0])
			}
			units["hello.service"] = text
			if verify(t, units) == "" {
				t.Error("no complaint")
			}
		})
	}
}
