package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/raket/raket/tests/layers"
)

// Exit statuses.
const (
	exitRan    = 0 // also with missed targets
	exitFailed = 1 // something did not run, or with -strict a target was missed
	exitUsage  = 2
)

func main() {
	if status, asked := layers.MeasureIfAsked(); asked {
		os.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	os.Exit(runMain(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

type options struct {
	raket, out, only    string
	quick, strict, disk bool
	rounds, fetchRounds int
	idle                time.Duration
}

func runMain(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.raket, "raket", "bin/raket", "the program to measure")
	flags.StringVar(&o.out, "out", "out/bench.json", "where to write the result as JSON")
	flags.StringVar(&o.only, "only", "", "scenarios to run, separated by commas: "+strings.Join(scenarioNames(), ","))
	flags.BoolVar(&o.disk, "disk", false, "keep everything on the disk of $TMPDIR instead of in memory")
	flags.BoolVar(&o.quick, "quick", false, "few rounds, a small image, a short idle window: to see that everything runs, not to quote")
	flags.BoolVar(&o.strict, "strict", false, "fail when a target is missed")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of each scenario (default 10, quick 2)")
	flags.IntVar(&o.fetchRounds, "fetch-rounds", 0, "rounds of the fetch scenario (default 3, quick 1)")
	flags.DurationVar(&o.idle, "idle", 0, "how long to watch for wake-ups (default 60s, quick 3s)")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "bench: unexpected argument %q\n", flags.Arg(0))
		return exitUsage
	}
	r, err := measure(ctx, o, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	if err := errors.Join(r.print(stdout), r.writeJSON(o.out)); err != nil {
		fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	if r.failed() || o.strict && r.missed() {
		return exitFailed
	}
	return exitRan
}

// bench is the set-up that scenarios share.
type bench struct {
	mounted  bool // memory is mounted on dir
	dir      string
	log      io.Writer
	plain    *lane // raket, nspawn and small programs
	hidden   *lane // podman
	registry *registry
	podman   *podman
	raket    *raket

	// Why a contender can't run here, if it can't.
	noRaket, noPodman, noNspawn, noUmoci obstacle

	rounds, fetchRounds int
	apps                []int
	imageBytes          int64
	idleWindow          time.Duration
	pods                int
	breath              time.Duration // between two runs, for the kernel to finish with the last one
}

type scenario struct {
	name string
	run  func(*bench, context.Context) ([]table, error)
}

func scenarios() []scenario {
	return []scenario{
		{scVersion, (*bench).version}, {scReady, (*bench).ready}, {scOneshot, (*bench).oneshot},
		{scFetch, (*bench).fetch}, {scMemory, (*bench).memory}, {scImages, (*bench).images}, {scResident, (*bench).resident}, {scList, (*bench).list},
		{scMany, (*bench).many}, {scExec, (*bench).exec}, {scNetwork, (*bench).network},
	}
}

func scenarioNames() []string {
	var names []string
	for _, s := range scenarios() {
		names = append(names, s.name)
	}
	return names
}

// chosen resolves -only.
func chosen(only string) ([]scenario, error) {
	if only == "" {
		return scenarios(), nil
	}
	var picked []scenario
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown scenario %q: the scenarios are %s", name, strings.Join(scenarioNames(), ", "))
		}
		picked = append(picked, scenarios()[i])
	}
	return picked, nil
}

func measure(ctx context.Context, o options, log io.Writer) (rep report, err error) {
	picked, err := chosen(o.only)
	if err != nil {
		return rep, err
	}
	b, h, err := newBench(ctx, o, log)
	if b != nil {
		defer func() { err = errors.Join(err, b.close()) }()
	}
	if err != nil {
		return rep, err
	}
	rep = report{Machine: describeMachine(h), Rounds: b.rounds, FetchRounds: b.fetchRounds, Quick: o.quick}
	for _, s := range picked {
		fmt.Fprintf(log, "bench: %s\n", s.name)
		tables, err := s.run(b, ctx)
		if ctx.Err() != nil {
			return rep, errors.New("interrupted")
		}
		if err != nil {
			return rep, fmt.Errorf("%s: %w", s.name, err)
		}
		rep.Tables = append(rep.Tables, tables...)
	}
	for _, t := range targets() {
		rep.Verdicts = append(rep.Verdicts, judge(t, rep.Tables))
	}
	return rep, nil
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }
