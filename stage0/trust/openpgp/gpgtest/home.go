package gpgtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Home is a gpg home directory of a test's own.
type Home struct {
	t   testing.TB
	dir string
}

// New makes an empty one, which the test's end removes with its agent. Where
// there is no gpg the test is skipped.
func New(t testing.TB) *Home {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skip("there is no gpg (Debian package gnupg)")
	}
	// The agent's sockets need a shorter path than a test's directory may be.
	dir, err := os.MkdirTemp("", "gpg")
	if err != nil {
		t.Fatal(err)
	}
	h := &Home{t: t, dir: dir}
	t.Cleanup(func() {
		// gpg's agent stays until it is told to go. It is only told where it runs.
		if out, err := exec.Command("gpgconf", "--homedir", dir, "--kill", "all").CombinedOutput(); err != nil {
			t.Errorf("end gpg's agent: %v: %s", err, out)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Run runs gpg and returns its standard output.
func (h *Home) Run(stdin []byte, args ...string) []byte {
	h.t.Helper()
	out, err := h.try(stdin, args...)
	if err != nil {
		h.t.Fatalf("gpg %s: %v", strings.Join(args, " "), err)
	}
	return out
}

type failure struct {
	err error
	say string
}

func (f failure) Error() string { return f.err.Error() + ": " + f.say }

func (h *Home) try(stdin []byte, args ...string) ([]byte, error) {
	base := []string{
		"--homedir", h.dir, "--batch", "--no-tty", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
		"--trust-model", "always", "--no-auto-key-locate", "--no-auto-check-trustdb",
	}
	cmd := exec.Command("gpg", append(base, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, failure{err, stderr.String()}
	}
	return stdout.Bytes(), nil
}

// Key makes a key without subkeys and returns its fingerprint, 40 upper case hex
// digits. The algorithm is "rsa2048", "ed25519", "dsa2048" and the like; more are
// further arguments, as "--faked-system-time=20200101T000000!".
func (h *Home) Key(userID, algorithm, expires string, more ...string) string {
	h.t.Helper()
	// gpg names what it made on the status descriptor only.
	args := append(more, "--status-fd=1", "--quick-generate-key", userID, algorithm, "cert,sign", expires)
	return h.created(h.Run(nil, args...))
}

// Subkey adds a signing subkey and returns its fingerprint.
func (h *Home) Subkey(key, algorithm, expires string, more ...string) string {
	h.t.Helper()
	before := h.fingerprints(key)
	h.Run(nil, append(more, "--quick-add-key", key, algorithm, "sign", expires)...)
	after := h.fingerprints(key)
	if len(after) != len(before)+1 {
		h.t.Fatalf("key %s has %d parts, had %d", key, len(after), len(before))
	}
	return after[len(after)-1]
}

func (h *Home) created(status []byte) string {
	h.t.Helper()
	for line := range strings.Lines(string(status)) {
		f := strings.Fields(line)
		if len(f) == 4 && f[1] == "KEY_CREATED" {
			return f[3]
		}
	}
	h.t.Fatalf("gpg made no key: %s", status)
	return ""
}

func (h *Home) fingerprints(key string) []string {
	h.t.Helper()
	var all []string
	for line := range strings.Lines(string(h.Run(nil, "--with-colons", "--list-keys", key))) {
		if f := strings.Split(line, ":"); f[0] == "fpr" {
			all = append(all, f[9])
		}
	}
	return all
}

// Export prints public keys, armored.
func (h *Home) Export(keys ...string) []byte {
	h.t.Helper()
	return h.Run(nil, append([]string{"--armor", "--export"}, keys...)...)
}

// Sign makes an armored detached signature by the key, or subkey, with the
// fingerprint.
func (h *Home) Sign(fingerprint string, content []byte, more ...string) []byte {
	h.t.Helper()
	// "!" is for this very key, and no newer subkey of it.
	return h.Run(content, append(more, "--armor", "--local-user", fingerprint+"!", "--detach-sign")...)
}

// Revoke takes the key back with the revocation that gpg wrote when it made it.
func (h *Home) Revoke(fingerprint string) {
	h.t.Helper()
	raw, err := os.ReadFile(filepath.Join(h.dir, "openpgp-revocs.d", fingerprint+".rev"))
	if err != nil {
		h.t.Fatal(err)
	}
	// A colon keeps the certificate from being used by mistake.
	h.Run(bytes.ReplaceAll(raw, []byte(":-----BEGIN"), []byte("-----BEGIN")), "--import")
}

// Primary is the fingerprint of the primary key that a subkey belongs to.
func (h *Home) Primary(part string) string {
	h.t.Helper()
	return h.fingerprints(part)[0]
}
