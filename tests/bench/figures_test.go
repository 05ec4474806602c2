package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	tests := map[string]struct {
		values []float64
		want   figure
	}{
		"an odd number of values has its middle as median": {[]float64{9, 1, 4}, figure{Name: "wall", Unit: "ms", Min: 1, Median: 4, N: 3}},
		"an even number has the mean of the middle two":    {[]float64{8, 1, 4, 2}, figure{Name: "wall", Unit: "ms", Min: 1, Median: 3, N: 4}},
		"one value is both": {[]float64{7}, figure{Name: "wall", Unit: "ms", Min: 7, Median: 7, N: 1}},
		"no value gives a figure of no samples, instead of a failure": {nil, figure{Name: "wall", Unit: "ms"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summarize("wall", "ms", tt.values)); diff != "" {
				t.Errorf("summarize (-want +got):\n%s", diff)
			}
		})
	}
}

// measured is a table in which raket took 30 ms and podman 100.
func measured() []table {
	at := func(ms float64) []figure { return []figure{{Name: figWall, Unit: "ms", Min: ms, Median: 2 * ms, N: 2}} }
	return []table{{Name: scOneshot, Title: "One-shot", Reference: subPodmanRun, Rows: []row{
		{Subject: subRaket, Figures: at(30)}, {Subject: subPodmanRun, Figures: at(100)}, {Subject: subNspawn, Note: "skipped: not here"},
	}}}
}

func TestJudge(t *testing.T) {
	base := target{Table: scOneshot, Subject: subRaket, Figure: figWall}
	tests := map[string]struct {
		change func(*target)
		want   verdict
	}{
		"an absolute limit that is kept is met":               {func(t *target) { t.Limit = 30 }, verdict{Value: 30, Limit: 30, Unit: "ms", Result: met}},
		"an absolute limit that is passed is missed":          {func(t *target) { t.Limit = 29 }, verdict{Value: 30, Limit: 29, Unit: "ms", Result: missed}},
		"a ratio is of minima":                                {func(t *target) { t.Limit, t.Against = 0.9, subPodmanRun }, verdict{Value: 0.3, Limit: 0.9, Unit: "x", Result: met}},
		"a difference keeps the unit and may be negative":     {func(t *target) { t.Limit, t.Against, t.Difference = 15, subPodmanRun, true }, verdict{Value: -70, Limit: 15, Unit: "ms", Result: met}},
		"a peer is told beside an absolute limit":             {func(t *target) { t.Limit, t.Peer = 30, subPodmanRun }, verdict{Value: 30, Limit: 30, Unit: "ms", Result: met, Peer: subPodmanRun, Beside: 100}},
		"a peer that was not measured is not":                 {func(t *target) { t.Limit, t.Peer = 30, subNspawn }, verdict{Value: 30, Limit: 30, Unit: "ms", Result: met}},
		"a peer without figures leaves the target unmeasured": {func(t *target) { t.Limit, t.Against = 0.9, subNspawn }, verdict{Limit: 0.9, Result: unmeasured}},
		"a scenario that was not run leaves it unmeasured":    {func(t *target) { t.Limit, t.Table = 8, scVersion }, verdict{Limit: 8, Result: unmeasured}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			target := base
			tt.change(&target)
			if diff := cmp.Diff(tt.want, judge(target, measured())); diff != "" {
				t.Errorf("judge (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryTargetNamesARowThatAScenarioMakes(t *testing.T) {
	tables := []string{scVersion, readyName(1), readyName(20), scOneshot, scFetch, scMemory, scImages, scResident, scList, scMany, scExec, scNetwork}
	for _, tt := range targets() {
		if !strings.Contains(strings.Join(tables, " ")+" ", tt.Table+" ") {
			t.Errorf("target %q is about table %q, which no scenario makes", tt.Name, tt.Table)
		}
		if tt.Limit < 0 || tt.Figure == "" || tt.Subject == "" {
			t.Errorf("target %q is incomplete: %+v", tt.Name, tt)
		}
	}
}

func TestReportPrint(t *testing.T) {
	r := report{Machine: machine{OS: "Some OS", Kernel: "6.1", CPU: "Chip", CPUs: 2, Cgroups: "hybrid", Load: "0.10"}, Rounds: 2, FetchRounds: 1, Tables: measured(),
		Verdicts: []verdict{{Name: "one-shot", Value: 0.3, Limit: 0.9, Unit: "x", Result: met}, {Name: "fetch", Limit: 0.4, Result: unmeasured}}}
	want := `Some OS, kernel 6.1, Chip x 2, cgroups hybrid, load 0.10 at the start
2 rounds, 1 of fetch, after one that does not count; each figure is minimum/median

One-shot
                                  wall ms  x podman run
  raket                           30/60    0.30
  podman run                      100/200  1.00
  bare nspawn, SYSTEMD_SECCOMP=0  -        -
  bare nspawn, SYSTEMD_SECCOMP=0: skipped: not here

Targets (minima compared)
  one-shot  0.30 x  limit 0.90  MET
  fetch     -       limit 0.40  NOT MEASURED
`
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("print (-want +got):\n%s", diff)
	}
	if r.failed() || r.missed() {
		t.Error("nothing failed or missed its target, and the report says otherwise")
	}
}
