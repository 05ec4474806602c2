package registry

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// Login is a user's name and password.
type Login struct{ User, Password string }

// MissingSkopeo says why Push cannot work here, or returns "".
func MissingSkopeo() string {
	if _, err := exec.LookPath("skopeo"); err != nil {
		return "missing skopeo (make deps installs it)"
	}
	return ""
}

// Push has skopeo copy an image into the registry. source is as skopeo takes it, as
// "oci:DIR:TAG"; ref is the image's name below the registry, as "team/hello:1".
func (p *Process) Push(ctx context.Context, source, ref string, login Login) error {
	return p.copy(ctx, "dest", login, source, "docker://"+p.Addr+"/"+ref)
}

// Pull has skopeo copy an image from the registry to target, as "oci:DIR:TAG".
func (p *Process) Pull(ctx context.Context, ref, target string, login Login) error {
	return p.copy(ctx, "src", login, "docker://"+p.Addr+"/"+ref, target)
}

// copy runs "skopeo copy"; side is the registry's: "src" or "dest".
func (p *Process) copy(ctx context.Context, side string, login Login, from, to string) error {
	args := []string{"copy", "--quiet", "--all"}
	if p.Authority == nil {
		args = append(args, "--"+side+"-tls-verify=false")
	} else {
		certs := filepath.Join(p.dir, "certs.d")
		if err := os.MkdirAll(certs, 0o755); err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
		if err := os.WriteFile(filepath.Join(certs, "ca.crt"), p.Authority.PEM(), 0o644); err != nil {
			return fmt.Errorf("copy %s: %w", from, err)
		}
		args = append(args, "--"+side+"-cert-dir="+certs)
	}
	if login.User != "" {
		args = append(args, "--"+side+"-creds="+login.User+":"+login.Password)
	} else {
		args = append(args, "--"+side+"-no-creds")
	}
	return p.Command(ctx, "skopeo", append(args, from, to)...)
}

// Command runs a program in the registry's network namespace to its end. What it said is in
// the error.
func (p *Process) Command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // as in start
		if err := p.enter(); err != nil {
			done <- err
			return
		}
		done <- cmd.Run()
	}()
	if err := <-done; err != nil {
		return fmt.Errorf("%s %q: %w: %s", name, args, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
