package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one line of go test -json (see "go doc test2json").
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string
}

type failure struct{ name, output string }

// slowTest is a test, with its subtests, that took slowSeconds or more.
type slowTest struct {
	name    string
	seconds float64
}

// The report names so many of those tests, the slowest.
const (
	slowSeconds = 10
	slowNamed   = 10
)

// tally counts results and keeps what the report says about them.
type tally struct {
	passed   int
	failures []failure
	// skips maps a reason to the tests it was given for.
	skips map[string][]string
	slow  []slowTest

	open   map[string]*pkgState
	builds map[string]*strings.Builder
}

// pkgState is what is known of a package that still runs.
type pkgState struct {
	output  strings.Builder
	tests   map[string]*strings.Builder
	results map[string]string
}

func newTally() *tally {
	return &tally{skips: map[string][]string{}, open: map[string]*pkgState{}, builds: map[string]*strings.Builder{}}
}

// read consumes the events of one go test until its end.
func (t *tally) read(r io.Reader, progress io.Writer) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				// Not an event: something below go test wrote to its standard output.
				fmt.Fprintf(progress, "%s", line)
			} else {
				t.event(e, progress)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("read the events of go test: %w", err)
		}
	}
	// A package whose end was never told did not pass.
	for name, p := range t.open {
		t.finish(name, p, "fail", progress, event{Package: name})
	}
	return nil
}

func (t *tally) event(e event, progress io.Writer) {
	switch e.Action {
	case "build-output":
		b := t.builds[e.ImportPath]
		if b == nil {
			b = &strings.Builder{}
			t.builds[e.ImportPath] = b
		}
		b.WriteString(e.Output)
		return
	case "build-fail", "":
		return
	}
	p := t.open[e.Package]
	if p == nil {
		p = &pkgState{tests: map[string]*strings.Builder{}, results: map[string]string{}}
		t.open[e.Package] = p
	}
	switch {
	case e.Action == "output" && e.Test == "":
		p.output.WriteString(e.Output)
	case e.Action == "output":
		p.of(e.Test).WriteString(e.Output)
	case e.Action == "run":
		p.of(e.Test)
	case e.Test != "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
		p.of(e.Test)
		p.results[e.Test] = e.Action
		if e.Elapsed >= slowSeconds && !strings.Contains(e.Test, "/") {
			t.slow = append(t.slow, slowTest{short(e.Package) + " " + e.Test, e.Elapsed})
		}
	case e.Test == "" && (e.Action == "pass" || e.Action == "fail" || e.Action == "skip"):
		t.finish(e.Package, p, e.Action, progress, e)
	}
}

func (p *pkgState) of(test string) *strings.Builder {
	b := p.tests[test]
	if b == nil {
		b = &strings.Builder{}
		p.tests[test] = b
	}
	return b
}

// finish counts a package's tests.
func (t *tally) finish(name string, p *pkgState, action string, progress io.Writer, e event) {
	delete(t.open, name)
	tests := make([]string, 0, len(p.tests))
	for test := range p.tests {
		tests = append(tests, test)
	}
	slices.Sort(tests)

	before, passed := len(t.failures), t.passed
	for i, test := range tests {
		result := cmp.Or(p.results[test], "fail") // one that never ended was cut off
		if result != "fail" && isSeed(test) {
			continue
		}
		if result != "fail" && hasChild(tests[i+1:], test) && !isFuzz(test) {
			continue
		}
		if result == "fail" && failedBelow(p, tests[i+1:], test) {
			continue
		}
		id := short(name) + " " + test
		switch result {
		case "pass":
			t.passed++
		case "skip":
			why := reason(p.tests[test].String())
			t.skips[why] = append(t.skips[why], id)
		default:
			out := p.tests[test].String()
			if p.results[test] == "" {
				out += "(it did not end)\n" + p.output.String()
			}
			t.fail(id, out, progress)
		}
	}
	if action == "fail" && len(t.failures) == before {
		out := p.output.String()
		if b := t.builds[e.FailedBuild]; b != nil {
			out = b.String() + out
		}
		t.fail(short(name), out, progress)
	}
	switch {
	case len(t.failures) > before:
		fmt.Fprintf(progress, "FAIL  %s (%.1fs)\n", short(name), e.Elapsed)
	case len(tests) > 0:
		fmt.Fprintf(progress, "ok    %s (%d passed, %.1fs)\n", short(name), t.passed-passed, e.Elapsed)
	}
}

func (t *tally) fail(name, output string, progress io.Writer) {
	t.failures = append(t.failures, failure{name, output})
	fmt.Fprintf(progress, "FAIL: %s\n%s\n", name, indent(output))
}

// broken counts something that is no Go test as failed.
func (t *tally) broken(name, output string, progress io.Writer) { t.fail(name, output, progress) }

func isFuzz(test string) bool { return strings.HasPrefix(test, "Fuzz") && !strings.Contains(test, "/") }
func isSeed(test string) bool { return strings.HasPrefix(test, "Fuzz") && strings.Contains(test, "/") }

// hasChild says whether one of the tests behind test is a subtest of it.
func hasChild(rest []string, test string) bool {
	return slices.ContainsFunc(rest, func(s string) bool { return strings.HasPrefix(s, test+"/") })
}

// failedBelow says whether a subtest of test failed or never ended: then the failure is told there.
func failedBelow(p *pkgState, rest []string, test string) bool {
	return slices.ContainsFunc(rest, func(s string) bool {
		return strings.HasPrefix(s, test+"/") && cmp.Or(p.results[s], "fail") == "fail"
	})
}

// short cuts the module's path off a package's.
func short(pkg string) string {
	s := strings.TrimPrefix(pkg, "github.com/raket/raket")
	return cmp.Or(strings.TrimPrefix(s, "/"), pkg)
}

var (
	banner   = regexp.MustCompile(`(?m)^\s*(===|---) .*\n?`)
	location = regexp.MustCompile(`^\s*\S+\.go:\d+: `)
)

// reason is what a skipped test said, without file and line.
func reason(output string) string {
	text := strings.TrimSpace(banner.ReplaceAllString(output, ""))
	lines := strings.Split(text, "\n")
	return cmp.Or(strings.TrimSpace(location.ReplaceAllString(lines[len(lines)-1], "")), "no reason given")
}

func indent(s string) string {
	s = strings.TrimRight(s, "\n")
	return "    " + strings.ReplaceAll(s, "\n", "\n    ")
}

// report prints skips, failures and the last line, and returns the exit status.
func (t *tally) report(w io.Writer) int {
	skipped := 0
	for _, why := range slices.Sorted(maps.Keys(t.skips)) {
		tests := t.skips[why]
		skipped += len(tests)
		fmt.Fprintf(w, "SKIP: %s: %s\n", why, strings.Join(tests, ", "))
	}
	slices.SortFunc(t.slow, func(a, b slowTest) int { return cmp.Compare(b.seconds, a.seconds) })
	for _, s := range t.slow[:min(slowNamed, len(t.slow))] {
		fmt.Fprintf(w, "slow: %s (%.1fs)\n", s.name, s.seconds)
	}
	if len(t.failures) > 0 {
		fmt.Fprintln(w, "failed:")
		for _, f := range t.failures {
			fmt.Fprintf(w, "    %s\n", f.name)
		}
	}
	if t.passed+len(t.failures) == 0 {
		fmt.Fprintln(w, "no test ran")
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", t.passed, len(t.failures), skipped)
	if len(t.failures) > 0 || t.passed == 0 {
		return exitFailed
	}
	return 0
}
