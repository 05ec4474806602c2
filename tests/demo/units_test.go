package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unitsDir = "../../dist/units"

// TestUnits: systemd has nothing to say against the units that are installed.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	files, err := os.ReadDir(unitsDir)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no"}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(unitsDir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		// The program they name need not be installed here.
		text := strings.NewReplacer("=/usr/local/bin/raket ", "=/bin/true ", "=/usr/local/lib/raket/cni/dhcp ", "=/bin/true ").Replace(string(b))
		if strings.HasSuffix(f.Name(), ".service") && text == string(b) {
			t.Errorf("%s runs nothing below /usr/local, which make install replaces", f.Name())
		}
		path := filepath.Join(dir, f.Name())
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	cmd := exec.CommandContext(t.Context(), analyze, args...)
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// TestTheDocumentShowsTheUnit: what the page on host units prints is the unit that the demo runs.
func TestTheDocumentShowsTheUnit(t *testing.T) {
	unit, err := os.ReadFile(filepath.Join(unitsDir, "web.service"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/host-units.md")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(unit), "[Unit]\n")
	body = strings.Replace("[Unit]\n"+body, "Documentation=man:raket-run(1)\n", "", 1)
	if !strings.Contains(string(page), body) {
		t.Errorf("docs/host-units.md does not have dist/units/web.service as it is:\n%s", body)
	}
}
