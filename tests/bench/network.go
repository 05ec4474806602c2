package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// separate makes the calling thread's network namespace its own, so that the networks of
// contenders come and go with it and touch none of the machine's.
func separate(setup func() error) func() error {
	return func() error {
		if err := setup(); err != nil {
			return err
		}
		if err := syscall.Unshare(syscall.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare a network namespace: %w", err)
		}
		if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			return fmt.Errorf("bring the loopback interface up: %w: %s", err, out)
		}
		return nil
	}
}

// network measures what the default network adds to a pod's start, and to its start and end:
// each sample is a run with it, less the run without that came just before.
func (b *bench) network(ctx context.Context) ([]table, error) {
	plain, err := newLane(b.plain.h, b.plain.prefix, b.plain.serial, separate(func() error { return nil }))
	if err != nil {
		return nil, err
	}
	defer plain.close()
	hidden, err := newLane(b.hidden.h, b.hidden.prefix, b.hidden.serial, separate(hideUnified(b.hidden.h)))
	if err != nil {
		return nil, err
	}
	defer hidden.close()
	hidden.escape = b.hidden.escape
	k, p := *b.raket, *b.podman
	k.lane, p.lane = plain, hidden
	noRaket := b.noRaket
	if missing := lookFor("nft"); missing.stands() && !noRaket.stands() {
		noRaket = missing
	}
	added := func(run func(ctx context.Context, network string) (sample, error), with string) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			without, err := run(ctx, "none")
			if err != nil {
				return without, err
			}
			s, err := run(ctx, with)
			s.Wall -= without.Wall
			s.CPU -= without.CPU
			return s, err
		}
	}
	defer func() {
		// Where no pod has an address any more, nobody knows of these either.
		_ = os.RemoveAll("/run/raket/cni")
	}()
	rows, err := b.interleave(ctx, b.rounds, []contender{
		{subNetStart, noRaket, added(func(ctx context.Context, network string) (sample, error) {
			s, err := k.onceOn(ctx, network)
			return s, errors.Join(err, k.collect(ctx))
		}, "default")},
		{subNetWhole, noRaket, added(k.wholeOn, "default")},
		{subNetPodman, b.noPodman, added(p.runOnceOn, "podman")},
	})
	return []table{{scNetwork, "What the default network adds to one app that ends at once", subNetPodman, rows}}, err
}

// onceOn runs a pod on a network to its end.
func (k *raket) onceOn(ctx context.Context, network string) (sample, error) {
	return k.lane.measureExit(ctx, k.command("run", "--net="+network, k.idle, "--exec", "/bin/true"))
}

// wholeOn runs a pod on a network to its end, and removes it.
func (k *raket) wholeOn(ctx context.Context, network string) (sample, error) {
	sum, err := k.onceOn(ctx, network)
	if err != nil {
		return sum, errors.Join(err, k.collect(ctx))
	}
	s, err := k.lane.measureExit(ctx, k.command("gc", "--grace-period=0s"))
	sum.Wall += s.Wall
	sum.CPU += s.CPU
	return sum, err
}

// runOnceOn is podman run of one program on a network, to its end.
func (p *podman) runOnceOn(ctx context.Context, network string) (sample, error) {
	return p.lane.measureExit(ctx, p.command("run", "--rm", "--network="+network, p.idle, "/bin/true"))
}
