package images_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/raket/raket/tests/images"
	"github.com/raket/raket/tests/testhost"
)

func TestSign(t *testing.T) {
	if why := images.MissingGPG(); why != "" {
		testhost.SkipOrFail(t, why)
	}
	s, err := images.NewSigner(t.Context(), "Ann <ann@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	aci, key := filepath.Join(dir, "a.aci"), filepath.Join(dir, "ring")
	if err := (images.ACI{Name: "example.com/a"}).Write(aci); err != nil {
		t.Fatal(err)
	}
	if err := s.Sign(t.Context(), aci); err != nil {
		t.Fatal(err)
	}
	// gpgv has no home and trusts what it is given.
	dearmor := exec.CommandContext(t.Context(), "gpg", "--homedir", dir, "--batch", "--output", key, "--dearmor")
	dearmor.Stdin = strings.NewReader(string(s.PublicKey()))
	if out, err := dearmor.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	verify := func() (string, error) {
		out, err := exec.CommandContext(t.Context(), "gpgv", "--status-fd=1", "--keyring", key, aci+".asc", aci).CombinedOutput()
		return string(out), err
	}
	if out, err := verify(); err != nil || !strings.Contains(out, "VALIDSIG "+s.Fingerprint()) {
		t.Errorf("%v: %s", err, out)
	}
	f, err := os.OpenFile(aci, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := verify(); err == nil {
		t.Errorf("a changed image passes: %s", out)
	}
}
