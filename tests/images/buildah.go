package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// MissingBuildah says why Buildah cannot work here, or returns "".
func MissingBuildah() string {
	if _, err := exec.LookPath("buildah"); err != nil {
		return "missing buildah (make deps installs it)"
	}
	if os.Geteuid() != 0 {
		return "needs root"
	}
	return ""
}

// Buildah has buildah make an image of a Containerfile, and of the files in the directory
// context, and adds it to the OCI layout in dir under tag: an image by another builder. Its
// RUN steps are in a chroot, without a network of their own; FROM has to be scratch, as
// nothing is pulled.
func Buildah(ctx context.Context, containerfile, contextDir, dir, tag string) (err error) {
	work, err := os.MkdirTemp("", "buildah-*")
	if err != nil {
		return fmt.Errorf("buildah: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	file := filepath.Join(work, "Containerfile")
	if err := os.WriteFile(file, []byte(containerfile), 0o644); err != nil {
		return fmt.Errorf("buildah: %w", err)
	}
	store := []string{"--root", filepath.Join(work, "root"), "--runroot", filepath.Join(work, "run"), "--storage-driver", "vfs"}
	const name = "localhost/made"
	for _, args := range [][]string{
		{"build", "--quiet", "--isolation", "chroot", "--pull-never", "--layers", "--format", "oci", "--tag", name, "--file", file, contextDir},
		{"push", "--quiet", name, "oci:" + dir + ":" + tag},
	} {
		cmd := exec.CommandContext(ctx, "buildah", append(store, args...)...)
		// buildah executes itself in namespaces: a signal would end only the first of it.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("buildah %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}
