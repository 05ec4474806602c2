package images

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// PublicKeyFile is the name of the file of public keys beside a signed image.
const PublicKeyFile = "pubkey.asc"

// Signer signs images with an OpenPGP key of its own, by gpg. Close it: gpg leaves an agent.
type Signer struct {
	home        string
	fingerprint string
	public      []byte
}

// MissingGPG says why there can be no Signer here, or returns "".
func MissingGPG() string {
	for _, program := range []string{"gpg", "gpgconf"} {
		if _, err := exec.LookPath(program); err != nil {
			return "missing " + program + " (make deps installs it)"
		}
	}
	return ""
}

// NewSigner makes a key (Ed25519, without an end) for a user ID such as "Ann <ann@example.com>".
func NewSigner(ctx context.Context, userID string) (s *Signer, err error) {
	if why := MissingGPG(); why != "" {
		return nil, fmt.Errorf("make a signing key: %s", why)
	}
	// The agent's sockets are in it, and their paths must be short.
	home, err := os.MkdirTemp("", "gpg")
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	s = &Signer{home: home}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a signing key: %w", err), s.Close())
		}
	}()
	status, err := s.gpg(ctx, "--status-fd=1", "--quick-generate-key", userID, "ed25519", "cert,sign", "never")
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		// "[GNUPG:] KEY_CREATED P FINGERPRINT"
		if f := strings.Fields(line); len(f) == 4 && f[1] == "KEY_CREATED" {
			s.fingerprint = f[3]
		}
	}
	if s.fingerprint == "" {
		return s, fmt.Errorf("gpg said %q", status)
	}
	s.public, err = s.gpg(ctx, "--armor", "--export", s.fingerprint)
	return s, err
}

// Fingerprint is the key's, as 40 upper case hex digits.
func (s *Signer) Fingerprint() string { return s.fingerprint }

// PublicKey is the armored public key.
func (s *Signer) PublicKey() []byte { return s.public }

// Sign writes the armored detached signature of a file beside it, as FILE.asc.
func (s *Signer) Sign(ctx context.Context, file string) error {
	// Not by gpg's own hand: a file in another mount namespace would be out of its reach.
	content, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	defer content.Close()
	signature, err := s.run(ctx, content, "--armor", "--local-user", s.fingerprint, "--detach-sign")
	if err == nil {
		err = os.WriteFile(file+".asc", signature, 0o644)
	}
	if err != nil {
		return fmt.Errorf("sign %s: %w", file, err)
	}
	return nil
}

// Close ends gpg's agent and removes the key.
func (s *Signer) Close() error {
	var err error
	if out, failed := exec.Command("gpgconf", "--homedir", s.home, "--kill", "all").CombinedOutput(); failed != nil {
		err = fmt.Errorf("end gpg's agent: %w: %s", failed, out)
	}
	return errors.Join(err, os.RemoveAll(s.home))
}

func (s *Signer) gpg(ctx context.Context, args ...string) ([]byte, error) {
	return s.run(ctx, nil, args...)
}

func (s *Signer) run(ctx context.Context, stdin *os.File, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "gpg", append([]string{
		"--homedir", s.home, "--batch", "--no-tty", "--yes", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
	}, args...)...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("gpg: %w: %s", err, bytes.TrimSpace(said.Bytes()))
	}
	return out.Bytes(), nil
}
