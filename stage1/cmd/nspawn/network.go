package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/raket/raket/pkg/cgroup"
	"github.com/raket/raket/pkg/flock"
	"github.com/raket/raket/pkg/sd"
	"github.com/raket/raket/pkg/stageabi"
	"github.com/raket/raket/stage1/network"
	"github.com/raket/raket/stage1/podnames"
)

// sweepName is what this program is called by to have ended pods leave their networks.
const sweepName = "sweep"

// networkPatience is how long all plugins together may take.
const networkPatience = 2 * time.Minute

// joinNetworks has the pod join its networks; nil for a pod that has none.
func (p *pod) joinNetworks() (*network.Joined, error) {
	n := p.sandbox.Network
	switch n.Mode {
	case stageabi.NetHost, stageabi.NetNone:
		return nil, nil
	case stageabi.NetCNI:
	default:
		return nil, fmt.Errorf("a pod has no network of mode %q", n.Mode)
	}
	lock, err := podLock()
	if err != nil {
		return nil, err
	}
	// What a plugin starts and leaves running does not keep the pod.
	if err := lock.NoInherit(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), networkPatience)
	defer cancel()
	// Whoever wants the start undone gets it undone.
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	j, err := network.Join(ctx, p.sandbox.UUID, n, func(line string) { fmt.Fprintln(os.Stderr, "raket: network:", line) })
	if err != nil {
		return nil, err
	}
	err = errors.Join(lock.Inherit(), stageabi.WriteNetworkStatus(".", j.Status))
	if err != nil {
		return nil, errors.Join(err, j.Undo())
	}
	if err := p.limitTogether(j); err != nil {
		return nil, errors.Join(err, j.Undo())
	}
	network.Complete(&p.sandbox, j.Status)
	if p.sandbox.Hosts != nil {
		if err := podnames.Share(p.dir, n, j.Status, *p.sandbox.Hosts); err != nil {
			return nil, errors.Join(err, j.Undo())
		}
	}
	sweepAfter(ctx, n.StateDir)
	return j, nil
}

// podLock is the lock that marks this pod as alive.
func podLock() (*flock.Lock, error) {
	fd, err := strconv.Atoi(os.Getenv(stageabi.EnvLockFD))
	if err != nil {
		return nil, fmt.Errorf("$%s: %w", stageabi.EnvLockFD, err)
	}
	return flock.FromFd(fd, "of the pod")
}

// sweepAfter has the host's systemd call this program when the pod's unit has ended: no
// process of raket's is there by then. Where that cannot be had, the next one that starts,
// stops or collects a pod does it.
func sweepAfter(ctx context.Context, stateDir string) {
	if !sd.Booted() {
		return
	}
	unit, err := cgroup.Unit()
	if err != nil || unit == "" {
		return
	}
	self, err := os.Executable()
	if err != nil {
		return
	}
	name := "raket-network-" + strings.ReplaceAll(unit, "@", ":") + ".service"
	if err := sd.RunAfter(ctx, name, "Leave the networks of "+unit, unit, self, []string{sweepName, stateDir, unit}); err != nil && os.Getenv(stageabi.EnvDebug) == "1" {
		fmt.Fprintln(os.Stderr, "raket: network:", err)
	}
}

// sweep has the pods that have ended leave their networks, and those of a unit as soon as they
// have: sweep DIRECTORY UNIT.
func sweep(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s: want a directory and a unit, have %d arguments", sweepName, len(args))
	}
	return errors.Join(network.Sweep(ctx, args[0], args[1]), podnames.Refresh(args[0]))
}

// leaveNetworks has the ended pod of this directory leave its networks, if it has not.
func leaveNetworks(uuid string) error {
	s, err := stageabi.ReadSandbox(".")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || s.Network.Mode != stageabi.NetCNI {
		return err
	}
	return errors.Join(network.Leave(context.Background(), s.Network.StateDir, uuid), podnames.Refresh(s.Network.StateDir))
}

// verifyNetworks asks the plugins whether the running pod's networks are whole.
func verifyNetworks(ctx context.Context, uuid string) error {
	s, err := stageabi.ReadSandbox(".")
	if err != nil || s.Network.Mode != stageabi.NetCNI {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, networkPatience)
	defer cancel()
	return network.Check(ctx, s.Network.StateDir, uuid)
}
