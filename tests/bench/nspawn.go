package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nspawn is the floor below raket: systemd-nspawn started by hand on the smallest root that boots, with systemd as its init
// and one unit an app. No image, no store, no overlay, no metadata.
type nspawn struct {
	lane *lane
	dir  string
	// seccomp leaves nspawn its own filters; without it SYSTEMD_SECCOMP=0 is set.
	seccomp bool
}

const (
	unitsForever = "forever" // READY when all apps have started
	unitsOnce    = "once"    // ends with the app
)

// newNspawn writes the root for a number of idle apps, or with once for one app that ends.
func newNspawn(l *lane, dir string, seccomp bool, kind string, apps int) (*nspawn, error) {
	n := &nspawn{lane: l, dir: dir, seccomp: seccomp}
	for _, d := range []string{"dev", "etc", "proc", "run", "sys", "tmp", "usr", "var", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(dir, link)); err != nil {
			return nil, err
		}
	}
	files := map[string]string{
		"etc/machine-id": "", "etc/os-release": "ID=bench\n",
		"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n",
	}
	for name, text := range nspawnUnits(kind, apps) {
		files["etc/units/"+name] = text
	}
	box, err := os.ReadFile(busyboxPath)
	if err != nil {
		return nil, err
	}
	for i := range apps {
		root := fmt.Sprintf("apps/a%d/", i+1)
		for _, d := range []string{"dev", "proc", "run", "sys", "tmp"} {
			if err := os.MkdirAll(filepath.Join(dir, root, d), 0o755); err != nil {
				return nil, err
			}
		}
		files[root+"bin/busybox"] = string(box)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
			return nil, err
		}
	}
	for i := range apps {
		for _, link := range []string{"sleep", "true"} {
			if err := os.Symlink("busybox", filepath.Join(dir, fmt.Sprintf("apps/a%d/bin", i+1), link)); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}

// nspawnUnits are the pod's only units.
func nspawnUnits(kind string, apps int) map[string]string {
	units := map[string]string{}
	var names []string
	for i := range apps {
		name := fmt.Sprintf("a%d.service", i+1)
		names = append(names, name)
		unit := "[Unit]\nDefaultDependencies=no\n"
		service := "Type=exec\nExecStart=" + strings.Join(idleCommand(), " ")
		if kind == unitsOnce {
			// Without -force it would need exit.target and the service behind it.
			unit += "SuccessAction=exit-force\nFailureAction=exit-force\n"
			service = "Type=exec\nExecStart=/bin/true"
		}
		units[name] = fmt.Sprintf("%s[Service]\n%s\nRootDirectory=/apps/a%d\nMountAPIVFS=yes\nStandardInput=null\nStandardOutput=null\nStandardError=null\n", unit, service, i+1)
	}
	all := strings.Join(names, " ")
	units["default.target"] = fmt.Sprintf("[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\nRequires=%s\nAfter=%s\n", all, all)
	return units
}

func (n *nspawn) command() command {
	env := []string{}
	if !n.seccomp {
		env = append(env, "SYSTEMD_SECCOMP=0")
	}
	return command{
		Argv: []string{"systemd-nspawn", "--quiet", "--directory=" + n.dir, "--machine=bench", "--settings=no", "--register=no", "--keep-unit",
			"--notify-ready=yes", "--console=pipe", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--private-network",
			"--bind-ro=/usr:/usr:norbind",
			"--setenv=SYSTEMD_UNIT_PATH=/etc/units",
			// A directory that does not exist: systemd forks for an empty one too.
			"--setenv=SYSTEMD_GENERATOR_PATH=/nonexistent", "--setenv=SYSTEMD_ENVIRONMENT_GENERATOR_PATH=/nonexistent",
			"/usr/lib/systemd/systemd", "--log-target=null", "--show-status=no"},
		Env:    env,
		Notify: true,
	}
}

// ready starts the pod and waits for its READY=1. The caller ends the run.
func (n *nspawn) ready(ctx context.Context, apps int) (*run, sample, error) {
	r, err := n.lane.start(ctx, n.command())
	if err != nil {
		return nil, sample{}, err
	}
	s, err := r.untilReady(ctx)
	if err == nil {
		err = wantIdle(r.group, apps)
	}
	if err != nil {
		return nil, s, errors.Join(err, r.end(ctx))
	}
	return r, s, nil
}

// once boots, runs the one app and waits for nspawn's end.
func (n *nspawn) once(ctx context.Context) (sample, error) {
	return n.lane.measureExit(ctx, n.command())
}
