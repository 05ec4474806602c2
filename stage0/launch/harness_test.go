package launch

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/raket/raket/pkg/pod"
	"github.com/raket/raket/pkg/stageabi"
)

// must fails the test on an error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// host is a data directory and a stage1 whose entrypoints are shell scripts.
type host struct {
	*testing.T
	data   string
	store  *pod.Store
	stage1 stageabi.Stage1
}

func newHost(t *testing.T, scripts map[stageabi.Entrypoint]string) *host {
	t.Helper()
	h := &host{T: t, data: t.TempDir()}
	var err error
	h.store, err = pod.Open(h.data)
	must(t, err)
	h.stage1 = stageabi.Stage1{Name: "fake", Dir: filepath.Join(h.data, "stage1", "fake-1"), Entrypoints: map[stageabi.Entrypoint]string{}}
	must(t, os.MkdirAll(filepath.Join(h.stage1.Dir, "rootfs"), 0o755))
	for e, script := range scripts {
		h.stage1.Entrypoints[e] = string(e)
		must(t, os.WriteFile(filepath.Join(h.stage1.Dir, "rootfs", string(e)), []byte("#!/bin/sh\n"+script), 0o755))
	}
	return h
}

// preparing makes a pod of the apps that this process holds.
func (h *host) preparing(apps ...string) *pod.Pod {
	h.Helper()
	p, err := h.store.Create()
	must(h.T, err)
	h.Cleanup(func() { _ = p.Close() })
	s := stageabi.Sandbox{UUID: string(p.UUID), Stage1: h.stage1}
	for _, a := range apps {
		s.Apps = append(s.Apps, stageabi.App{Name: a})
	}
	text, err := json.Marshal(s)
	must(h.T, err, os.WriteFile(filepath.Join(p.Dir(), stageabi.SandboxFile), text, 0o644))
	return p
}

// running makes a pod that this process holds, as if it was the pod.
func (h *host) running(apps ...string) *pod.Pod {
	h.Helper()
	p := h.preparing(apps...)
	must(h.T, p.ToPrepared(false), p.ToRun(), os.WriteFile(filepath.Join(p.Dir(), stageabi.PIDFile), []byte("1\n"), 0o644))
	return p
}

// seen is the pod as another command finds it.
func (h *host) seen(p *pod.Pod) *pod.Pod {
	h.Helper()
	found, err := h.store.Find(string(p.UUID))
	must(h.T, err)
	return found
}
