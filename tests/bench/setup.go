package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// libpodParent is where podman's cgroupfs manager puts pods, at the root of each hierarchy.
const libpodParent = "libpod_parent"

// newBench makes the temporary directory, lanes, registry and images. What it returns must be closed, also with an error.
func newBench(ctx context.Context, o options, log io.Writer) (b *bench, h hierarchies, err error) {
	if os.Geteuid() != 0 {
		return nil, h, errors.New("pods need root: run it as root")
	}
	if missing := lookFor("docker-registry", "skopeo", busyboxPath); missing.stands() {
		return nil, h, fmt.Errorf("%s (Debian packages: docker-registry skopeo busybox-static)", missing.why)
	}
	if h, err = findHierarchies(); err != nil {
		return nil, h, err
	}
	b = &bench{log: log, rounds: 10, fetchRounds: 3, apps: []int{1, 5, 10, 20}, imageBytes: 316e6, idleWindow: time.Minute, pods: 1000, breath: 100 * time.Millisecond}
	if o.quick {
		b.rounds, b.fetchRounds, b.imageBytes, b.idleWindow = 2, 1, 32e6, 3*time.Second
	}
	if o.rounds > 0 {
		b.rounds = o.rounds
	}
	if o.fetchRounds > 0 {
		b.fetchRounds = o.fetchRounds
	}
	if o.idle > 0 {
		b.idleWindow = o.idle
	}
	if b.dir, err = os.MkdirTemp("", "raket-bench-"); err != nil {
		return nil, h, err
	}
	if !o.disk {
		if err = unix.Mount("raket-bench", b.dir, "tmpfs", unix.MS_NOSUID, "mode=755,size="+memorySize); err != nil {
			return b, h, fmt.Errorf("mount memory on %s (-disk does without): %w", b.dir, err)
		}
		b.mounted = true
	}
	// So that the temporary files of all contenders go there too.
	if err = os.Setenv("TMPDIR", b.dir); err != nil {
		return b, h, err
	}
	var escape []string
	if !h.hybrid() {
		escape = []string{filepath.Join(cgroupMount, libpodParent)}
	}
	serial, prefix := new(int), filepath.Base(b.dir)
	if b.plain, err = newLane(h, prefix, serial, func() error { return nil }); err != nil {
		return b, h, err
	}
	if b.hidden, err = newLane(h, prefix, serial, hideUnified(h)); err != nil {
		return b, h, err
	}
	b.noNspawn = lookFor("systemd-nspawn", "/usr/lib/systemd/systemd")
	b.noUmoci = lookFor("umoci")
	b.noPodman = lookFor("podman", "crun", "conmon")
	b.hidden.escape = escape
	if others, _ := pidsBelow(escape...); len(others) > 0 {
		// Its processes could not be told from ours, which are killed after each run.
		b.noPodman, b.hidden.escape = obstacle{why: fmt.Sprintf("another podman has pods here (process %d)", others[0])}, nil
	}
	if b.registry, err = startRegistry(ctx, b.dir); err != nil {
		return b, h, err
	}
	return b, h, b.prepareImages(ctx, o)
}

// memorySize bounds what all contenders keep at a time. They are measured in
// memory because ext4 takes longer to make files, by a factor and for minutes,
// once many have been removed: what one leaves would be the next one's burden.
const memorySize = "12g"

// prepareImages makes the small images and brings them to the contenders, which start warm.
func (b *bench) prepareImages(ctx context.Context, o options) error {
	refs := map[string]string{}
	for name, cmd := range map[string][]string{"idle": idleCommand(), "pause": pauseCommand()} {
		l, err := writeLayout(b.path(name), cmd, idleLayer)
		if err != nil {
			return err
		}
		if refs[name], err = b.registry.push(ctx, l, name); err != nil {
			return err
		}
	}
	bin, err := filepath.Abs(o.raket)
	if err != nil {
		return err
	}
	b.raket = &raket{lane: b.plain, bin: bin, dir: b.path("raket"), idle: "docker://" + refs["idle"]}
	if _, err := os.Stat(bin); err != nil {
		b.noRaket = obstacle{why: fmt.Sprintf("%v (build it with make build, or name it with -raket)", err)}
	} else if _, err := b.raket.fetch(ctx, refs["idle"]); err != nil {
		b.noRaket = broken(err)
	}
	if b.podman, err = newPodman(b.hidden, b.path("podman"), refs["idle"], refs["pause"]); err != nil {
		return err
	}
	if !b.noPodman.stands() {
		if err := b.podman.pull(ctx); err != nil {
			b.noPodman = broken(err)
		}
	}
	return ctx.Err()
}

// close ends what still runs and removes everything that was made.
func (b *bench) close() error {
	var err error
	if b.podman != nil {
		err = errors.Join(err, b.podman.removeStore())
	}
	if b.raket != nil {
		err = errors.Join(err, b.raket.removeStore())
	}
	if b.registry != nil {
		err = errors.Join(err, b.registry.stop())
	}
	for _, l := range []*lane{b.plain, b.hidden} {
		if l != nil {
			l.close()
		}
	}
	if b.mounted {
		err = errors.Join(err, unix.Unmount(b.dir, unix.MNT_DETACH))
	}
	return errors.Join(err, removeLibpod(), os.RemoveAll(b.dir))
}

// removeLibpod takes away podman's empty cgroups. Those in use, of another podman, stay.
func removeLibpod() error {
	dirs, err := filepath.Glob(filepath.Join(cgroupMount, "*", libpodParent))
	for _, dir := range append(dirs, filepath.Join(cgroupMount, libpodParent)) {
		if busy, _ := pidsBelow(dir); len(busy) == 0 {
			err = errors.Join(err, removeCgroups(dir))
		}
	}
	return err
}
