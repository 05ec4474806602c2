package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// contender is one row of a scenario.
type contender struct {
	name   string
	absent obstacle
	run    func(context.Context) (sample, error)
}

// interleave runs every contender once for nothing, then in turns. Who begins a round changes from round to round, so that
// nobody always comes after the same neighbour. A contender that fails is out, and its row says how.
func (b *bench) interleave(ctx context.Context, rounds int, contenders []contender) ([]row, error) {
	rows := make([]row, len(contenders))
	samples := make([][]sample, len(contenders))
	for i, c := range contenders {
		rows[i] = c.absent.row(c.name)
	}
	for round := range rounds + 1 {
		for k := range contenders {
			i := (k + round) % len(contenders)
			if rows[i].Note != "" {
				continue
			}
			if err := pause(ctx, b.breath); err != nil {
				return nil, err
			}
			s, err := contenders[i].run(ctx)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				rows[i] = broken(err).row(contenders[i].name)
				continue
			}
			if round > 0 {
				samples[i] = append(samples[i], s)
			}
		}
	}
	for i := range rows {
		if len(samples[i]) > 0 && !rows[i].Failed {
			rows[i].Figures = timings(samples[i])
		}
	}
	return rows, nil
}

// exit is a contender that runs a command of the plain lane to its end.
func (b *bench) exit(argv ...string) func(context.Context) (sample, error) {
	return func(ctx context.Context) (sample, error) { return b.plain.measureExit(ctx, command{Argv: argv}) }
}

func (b *bench) version(ctx context.Context) ([]table, error) {
	rows, err := b.interleave(ctx, b.rounds, []contender{
		{subRaket, b.noRaket, b.exit(b.raket.bin, "version")},
		{subNothing, obstacle{}, b.exit(busyboxPath, "true")},
		{subPodmanVersion, b.noPodman, b.exit("podman", "--version")},
	})
	return []table{{scVersion, "Start of the program, to exit", subPodmanVersion, rows}}, err
}

func (b *bench) ready(ctx context.Context) ([]table, error) {
	var tables []table
	for _, apps := range b.apps {
		floor := func(name string, seccomp bool) contender {
			c := contender{name: name, absent: b.noNspawn}
			if c.absent.stands() {
				return c
			}
			n, err := newNspawn(b.plain, b.path(fmt.Sprintf("nspawn-%t-%d", seccomp, apps)), seccomp, unitsForever, apps)
			c.run = func(ctx context.Context) (sample, error) {
				if err != nil {
					return sample{}, err
				}
				r, s, err := n.ready(ctx, apps)
				if err != nil {
					return s, err
				}
				return s, r.end(ctx)
			}
			return c
		}
		rows, err := b.interleave(ctx, b.rounds, []contender{
			{subRaket, b.noRaket, func(ctx context.Context) (sample, error) {
				r, s, err := b.raket.ready(ctx, apps)
				if err != nil {
					return s, err
				}
				return s, b.raket.down(ctx, r)
			}},
			floor(subNspawn, false),
			floor(subNspawnStock, true),
			{subPodmanPlay, b.noPodman, func(ctx context.Context) (sample, error) {
				r, s, err := b.podman.play(ctx, apps)
				if err != nil {
					return s, err
				}
				return s, b.podman.down(ctx, r)
			}},
		})
		if err != nil {
			return nil, err
		}
		tables = append(tables, table{readyName(apps), fmt.Sprintf("Pod of %d app(s), to READY", apps), subPodmanPlay, rows})
	}
	return tables, nil
}

func (b *bench) oneshot(ctx context.Context) ([]table, error) {
	contenders := []contender{{subRaket, b.noRaket, b.raket.once}}
	for _, seccomp := range []bool{false, true} {
		c := contender{name: subNspawn, absent: b.noNspawn}
		if seccomp {
			c.name = subNspawnStock
		}
		if !c.absent.stands() {
			n, err := newNspawn(b.plain, b.path(fmt.Sprintf("nspawn-%t-once", seccomp)), seccomp, unitsOnce, 1)
			if err != nil {
				return nil, err
			}
			c.run = n.once
		}
		contenders = append(contenders, c)
	}
	rows, err := b.interleave(ctx, b.rounds, append(contenders, contender{subPodmanRun, b.noPodman, b.podman.runOnce}))
	return []table{{scOneshot, "One app that ends at once, to exit", subPodmanRun, rows}}, err
}

func (b *bench) fetch(ctx context.Context) ([]table, error) {
	fmt.Fprintln(b.log, "bench: making the big image")
	l, err := writeLayout(b.path("big"), idleCommand(), bigLayers(b.imageBytes)...)
	if err != nil {
		return nil, err
	}
	ref, err := b.registry.push(ctx, l, "big")
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return nil, err
	}
	rows, err := b.interleave(ctx, b.fetchRounds, []contender{
		{subRaket, b.noRaket, func(ctx context.Context) (sample, error) { return b.raket.fetchCold(ctx, ref, l.UncompressedBytes) }},
		{subPodmanPull, b.noPodman, func(ctx context.Context) (sample, error) { return b.podman.pullCold(ctx, ref) }},
		{subUmoci, b.noUmoci, func(ctx context.Context) (sample, error) { return b.skopeoUmoci(ctx, ref) }},
	})
	title := fmt.Sprintf("Fetch of an image of 4 layers, %d MB compressed, %d MB unpacked, from a loopback registry, into an empty store, ready to run",
		l.CompressedBytes/1e6, l.UncompressedBytes/1e6)
	return []table{{scFetch, title, subPodmanPull, rows}}, err
}

// skopeoUmoci copies an image, verified and still compressed, and unpacks it.
func (b *bench) skopeoUmoci(ctx context.Context, ref string) (sum sample, err error) {
	dir := b.path("umoci")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return sum, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	for _, argv := range [][]string{
		{"skopeo", "copy", "--quiet", "--insecure-policy", "--src-tls-verify=false", "docker://" + ref, "oci:" + dir + "/layout:latest"},
		{"umoci", "unpack", "--image", dir + "/layout:latest", filepath.Join(dir, "bundle")},
	} {
		s, err := b.plain.measureExit(ctx, command{Argv: argv, Limit: 10 * time.Minute})
		if err != nil {
			return sum, err
		}
		sum.Wall += s.Wall
		sum.CPU += s.CPU
	}
	return sum, nil
}

func (b *bench) resident(ctx context.Context) ([]table, error) {
	rows := []row{b.noRaket.row(subRaket), b.noNspawn.row(subNspawn), b.noPodman.row(subPodmanPlay)}
	starts := []func() (*run, sample, error){
		func() (*run, sample, error) { return b.raket.ready(ctx, residentApps) },
		func() (*run, sample, error) {
			n, err := newNspawn(b.plain, b.path("nspawn-resident"), false, unitsForever, residentApps)
			if err != nil {
				return nil, sample{}, err
			}
			return n.ready(ctx, residentApps)
		},
		func() (*run, sample, error) { return b.podman.play(ctx, residentApps) },
	}
	ends := []func(*run) error{
		func(r *run) error { return b.raket.down(ctx, r) },
		func(r *run) error { return r.end(ctx) },
		func(r *run) error { return b.podman.down(ctx, r) },
	}
	for i := range rows {
		if rows[i].Note != "" {
			continue
		}
		err := func() (err error) {
			r, _, err := starts[i]()
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, ends[i](r)) }()
			rows[i].Figures, err = b.observe(ctx, r)
			return err
		}()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			rows[i] = broken(err).row(rows[i].Subject)
		}
	}
	title := fmt.Sprintf("Resident helpers (every process but the apps), %d idle apps; wake-ups in %v", residentApps, b.idleWindow)
	return []table{{scResident, title, "", rows}}, nil
}

// observe counts the helpers of a settled pod, and their wake-ups in the idle window.
func (b *bench) observe(ctx context.Context, r *run) ([]figure, error) {
	helpers, err := settle(ctx, r.group)
	if err != nil {
		return nil, err
	}
	before, err := wakeUps(helpers)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, b.idleWindow); err != nil {
		return nil, err
	}
	after, err := wakeUps(helpers)
	if err != nil {
		return nil, err
	}
	// Last, because reading it may not disturb the window.
	pss, err := pssKiB(helpers)
	return []figure{
		summarize(figHelpers, "processes", []float64{float64(len(helpers))}),
		summarize(figPSS, "MB", []float64{float64(pss) * 1024 / 1e6}),
		summarize(figWakeUps, "", []float64{float64(after - before)}),
	}, err
}

func (b *bench) list(ctx context.Context) ([]table, error) {
	absent := b.noRaket
	var uuid string
	if !absent.stands() {
		var err error
		if uuid, err = b.raket.clonePods(ctx, b.pods); err == nil {
			var n int
			if n, err = b.raket.countPods(ctx); err == nil && n != b.pods {
				err = fmt.Errorf("%d of %d pods are listed", n, b.pods)
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			absent = broken(fmt.Errorf("make exited pods: %w", err))
		}
	}
	exit := func(args ...string) func(context.Context) (sample, error) {
		return func(ctx context.Context) (sample, error) {
			return b.plain.measureExit(ctx, b.raket.command(args...))
		}
	}
	rows, err := b.interleave(ctx, b.rounds, []contender{
		{subRaketList, absent, exit("list")},
		{subRaketStatus, absent, exit("status", uuid)},
	})
	return []table{{scList, fmt.Sprintf("Among %d exited pods, to exit", b.pods), "", rows}}, err
}
