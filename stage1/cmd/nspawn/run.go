package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/raket/raket/pkg/approot"
	"github.com/raket/raket/pkg/appspec"
	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/idmap"
	"github.com/raket/raket/pkg/journalstream"
	"github.com/raket/raket/pkg/podsocket"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/network"
	"github.com/raket/raket/stage1/nspawn"
	"github.com/raket/raket/stage1/podfilter"
	"github.com/raket/raket/stage1/unitgen"
)

// runPod turns this process into the pod. It returns only with an error.
func runPod(args []string) error {
	mode, args := stageabi.LogMode(""), slices.Clone(args)
	if len(args) > 0 {
		if v, ok := strings.CutPrefix(args[0], "--log="); ok {
			mode, args = stageabi.LogMode(v), args[1:]
		}
	}
	if len(args) != 1 || mode == "" {
		return errors.New("run: want --log=MODE and the pod's UUID")
	}
	// Not for the children of this program.
	if err := podsocket.SetInheritable(false); err != nil {
		return err
	}
	if err := approot.KeepCredentials(); err != nil {
		return err
	}
	// Namespaces belong to threads; the one that executes nspawn is this one.
	runtime.LockOSThread()
	// Users of apps reach their roots through what is made here.
	syscall.Umask(0o022)
	p, err := load(args[0], mode)
	if err != nil {
		return err
	}
	if err := p.connectInput(); err != nil {
		return err
	}
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return fmt.Errorf("systemd-nspawn is not installed (Debian: apt install systemd-container; --stage1-name=fly runs one app without it): %w", err)
	}
	if err := p.checkSystemd(); err != nil {
		return err
	}
	if err := checkWatches(openWatch); err != nil {
		return err
	}
	if err := p.enterGroup(); err != nil {
		return err
	}
	if err := p.limit(); err != nil {
		return err
	}
	if p.log.Mode == stageabi.LogJournal {
		if p.log.HostUnit, err = cgroup.Unit(); err != nil {
			return err
		}
	}
	if err := stageabi.WriteLogPlace(".", stageabi.LogPlace{Mode: p.log.Mode, Unit: p.log.HostUnit}); err != nil {
		return err
	}
	if err := p.planForward(); err != nil {
		return err
	}
	joined, err := p.joinNetworks()
	if err != nil {
		return err
	}
	err = p.become(path, joined)
	if joined != nil {
		err = errors.Join(err, joined.Undo())
	}
	return err
}

// become makes the rest of the pod and executes nspawn. It returns only with an error.
func (p *pod) become(path string, joined *network.Joined) error {
	if err := p.makeRoot(); err != nil {
		return fmt.Errorf("make the pod's root: %w", err)
	}
	if err := os.WriteFile(stageabi.PIDFile, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return err
	}
	share := p.shareStreams
	if p.ids != nil {
		share = p.pipeStreams
	}
	if err := share(); err != nil {
		return err
	}
	c := p.config()
	if joined != nil {
		fd, err := joined.Hand()
		if err != nil {
			return err
		}
		if p.ids == nil {
			c.Namespace = "/proc/self/fd/" + strconv.Itoa(fd)
		} else if err := enterNetwork(fd); err != nil {
			return err
		}
	}
	switch {
	case p.sandbox.Insecure.Seccomp:
		c.Seccomp = false
	case podfilter.Available(c.Capabilities):
		c.Seccomp = false
		if err := podfilter.Install(); err != nil {
			return err
		}
	}
	if err := podsocket.SetInheritable(true); err != nil {
		return err
	}
	argv, env := nspawn.Argv(c), nspawn.Env(c, os.Environ())
	return fmt.Errorf("execute %s: %w", path, syscall.Exec(path, argv, env))
}

// pod is a pod about to run.
type pod struct {
	dir     string // absolute
	sandbox stageabi.Sandbox
	specs   []*appspec.Spec // in the order of sandbox.Apps
	log     unitgen.Log
	limits  limits
	forward *unitgen.Forward
	ids     *idmap.Map // nil where the pod's user IDs are the host's
	stdin   unitgen.Interactive
	// leader is the PID, on the host, of the init of a pod that runs already; 0 of one
	// that is about to.
	leader int
	// quiet: what is left out has been said.
	quiet bool
}

func load(uuid string, mode stageabi.LogMode) (*pod, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	p := &pod{dir: dir}
	if p.sandbox, err = stageabi.ReadSandbox("."); err != nil {
		return nil, err
	}
	if p.sandbox.UUID != uuid {
		return nil, fmt.Errorf("the working directory is of pod %s, not of %s", p.sandbox.UUID, uuid)
	}
	for _, a := range p.sandbox.Apps {
		spec, err := approot.ReadSpec(".", a.Name)
		if err != nil {
			return nil, fmt.Errorf("app %s: %w", a.Name, err)
		}
		if err := addMetadataURL(p.sandbox, spec); err != nil {
			return nil, err
		}
		p.specs = append(p.specs, spec)
	}
	if err := p.checkProtections(); err != nil {
		return nil, err
	}
	p.log = unitgen.Log{Mode: mode}
	return p, nil
}

func (p *pod) config() nspawn.Config {
	sysctls := ""
	if len(p.sandbox.Sysctls) > 0 {
		sysctls = sysctlsPath
	}
	c := nspawn.Config{
		Root:         filepath.Join(p.dir, rootDir),
		Machine:      "rkt-" + p.sandbox.UUID,
		UUID:         p.sandbox.UUID,
		Hostname:     p.sandbox.Hostname,
		Network:      p.sandbox.Network,
		Users:        p.sandbox.Users,
		Capabilities: p.capabilities(),
		Log:          p.log.Mode,
		Init:         findInit(),
		Sysctls:      sysctls,
		Seccomp:      true,
		Debug:        os.Getenv(stageabi.EnvDebug) == "1",
	}
	if p.log.Mode == stageabi.LogJournal {
		c.JournalDir = filepath.Dir(journalstream.SocketPath)
	}
	return c
}

// capabilities are all that any app of the pod may have.
func (p *pod) capabilities() []string {
	caps := slices.Clone(p.sandbox.Capabilities)
	for _, s := range p.specs {
		if s.Process.Capabilities != nil {
			caps = append(caps, s.Process.Capabilities.Bounding...)
		}
	}
	// Apps that join a pod without any may be limited.
	sandbox := p.sandbox.Network.Mode == stageabi.NetCNI && p.sandbox.Users == nil && len(p.sandbox.Apps) == 0
	if sandbox || slices.ContainsFunc(p.limits.bandwidth, func(n int64) bool { return n != 0 }) {
		caps = append(caps, netAdmin)
	}
	slices.Sort(caps)
	return slices.Compact(caps)
}
