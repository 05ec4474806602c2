package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// registry is Debian's docker-registry on a loopback port, with its storage in a directory of ours.
type registry struct {
	Addr string // 127.0.0.1:PORT
	cmd  *exec.Cmd
}

// startRegistry returns when the registry answers.
func startRegistry(ctx context.Context, dir string) (*registry, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &registry{Addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "registry.yml")
	text := fmt.Sprintf("version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q}\n",
		filepath.Join(dir, "registry"), r.Addr)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "registry.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.cmd = exec.Command("docker-registry", "serve", config)
	r.cmd.Env = append(baseEnv(), "OTEL_TRACES_EXPORTER=none")
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start docker-registry: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Addr+"/v2/", nil)
		if err != nil {
			return nil, errors.Join(err, r.stop())
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			if err := resp.Body.Close(); err != nil {
				return nil, errors.Join(err, r.stop())
			}
			return r, nil
		}
		select {
		case <-ctx.Done():
			data, _ := os.ReadFile(log.Name())
			return nil, errors.Join(fmt.Errorf("docker-registry does not answer on %s: %.400s", r.Addr, data), r.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// push copies an image layout into the registry and returns its name there.
func (r *registry) push(ctx context.Context, l layout, name string) (string, error) {
	ref := r.Addr + "/" + name + ":1"
	cmd := exec.CommandContext(ctx, "skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", l.ref(), "docker://"+ref)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("push %s: %w: %.400s", name, err, out)
	}
	return ref, nil
}

func (r *registry) stop() error {
	err := r.cmd.Process.Kill()
	_ = r.cmd.Wait() // says only that it was killed
	return err
}
