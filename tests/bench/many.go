package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// manyApps is how many apps the pod has that many measures, and manyMore how many
// more than the pod of one.
const (
	manyApps = 100
	manyMore = manyApps - 1
)

// manyRounds bounds the rounds of many: a pod of a hundred apps is long in the
// making for some.
const manyRounds = 3

// ofApps names a contender by the size of its pod.
func ofApps(subject string, apps int) string { return fmt.Sprintf("%s, %d app(s)", subject, apps) }

// many has in one table what pods of one and of a hundred apps cost, so that the
// difference is what an app more costs.
func (b *bench) many(ctx context.Context) ([]table, error) {
	var contenders []contender
	for _, apps := range []int{1, manyApps} {
		contenders = append(contenders,
			contender{ofApps(subRaket, apps), b.noRaket, func(ctx context.Context) (sample, error) {
				r, s, err := b.raket.ready(ctx, apps)
				if err != nil {
					return s, err
				}
				return s, b.raket.down(ctx, r)
			}},
			contender{ofApps(subPodmanPlay, apps), b.noPodman, func(ctx context.Context) (sample, error) {
				r, s, err := b.podman.play(ctx, apps)
				if err != nil {
					return s, err
				}
				return s, b.podman.down(ctx, r)
			}})
	}
	rows, err := b.interleave(ctx, min(b.rounds, manyRounds), contenders)
	if err != nil {
		return nil, err
	}
	for i, apps := range []int{1, manyApps} {
		row := &rows[2*i]
		if row.Note != "" {
			continue
		}
		pss, err := b.helpersPSS(ctx, apps)
		if err != nil {
			return nil, err
		}
		row.Figures = append(row.Figures, summarize(figPSS, "MB", []float64{pss}))
	}
	return []table{{scMany, "Pods of one and of many apps, to READY; memory of all processes but the apps", "", rows}}, nil
}

// helpersPSS is the memory in MB of all processes of a pod of raket's but the apps.
func (b *bench) helpersPSS(ctx context.Context, apps int) (mb float64, err error) {
	r, _, err := b.raket.ready(ctx, apps)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.raket.down(ctx, r)) }()
	helpers, err := settle(ctx, r.group)
	if err != nil {
		return 0, err
	}
	kib, err := pssKiB(helpers)
	return float64(kib) * 1024 / 1e6, err
}

// exec measures a command in a running app.
func (b *bench) exec(ctx context.Context) (tables []table, err error) {
	contenders := []contender{{name: subRaketExec, absent: b.noRaket}, {name: subPodmanExec, absent: b.noPodman}}
	if !b.noRaket.stands() {
		r, _, err := b.raket.ready(ctx, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.raket.down(ctx, r)) }()
		_, list, err := b.plain.outputOf(ctx, b.raket.command("list", "--no-legend", "--full"))
		if err != nil {
			return nil, err
		}
		uuid, _, _ := strings.Cut(list, "\t")
		contenders[0].run = b.exit(b.raket.command("exec", uuid, "/bin/true").Argv...)
	}
	if !b.noPodman.stands() {
		r, _, err := b.podman.play(ctx, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.podman.down(ctx, r)) }()
		contenders[1].run = func(ctx context.Context) (sample, error) {
			return b.podman.lane.measureExit(ctx, b.podman.command("exec", "bench-a1", "/bin/true"))
		}
	}
	rows, err := b.interleave(ctx, b.rounds, contenders)
	return []table{{scExec, "A command in a running app, to exit", subPodmanExec, rows}}, err
}
