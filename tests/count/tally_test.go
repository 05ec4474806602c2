package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTally(t *testing.T) {
	for name, tt := range map[string]struct {
		events string
		want   string
		code   int
	}{
		"leaf tests are counted, not their parents": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"run","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA/y"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			want: "2 passed, 0 failed, 0 skipped",
		},
		"a failing subtest counts once": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: "0 passed, 1 failed, 0 skipped", code: 1,
		},
		"a parent that fails by itself counts": {
			events: `{"Action":"run","Package":"p","Test":"TestA/x"}
{"Action":"pass","Package":"p","Test":"TestA/x"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			want: "1 passed, 1 failed, 0 skipped", code: 1,
		},
		"a test that never ended failed": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"panic: x\n"}
{"Action":"fail","Package":"p"}`,
			want: "0 passed, 1 failed, 0 skipped", code: 1,
		},
		"events that stop in the middle of a package are a failure": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}`,
			want: "1 passed, 1 failed, 0 skipped", code: 1,
		},
		"a package that does not build failed": {
			events: `{"ImportPath":"p [p.test]","Action":"build-output","Output":"x.go:1: bad\n"}
{"ImportPath":"p [p.test]","Action":"build-fail"}
{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}
{"Action":"pass","Package":"q","Test":"TestQ"}
{"Action":"pass","Package":"q"}`,
			want: "1 passed, 1 failed, 0 skipped", code: 1,
		},
		"a package that fails outside any test failed": {
			events: `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"main failed\n"}
{"Action":"fail","Package":"p"}`,
			want: "1 passed, 1 failed, 0 skipped", code: 1,
		},
		"a skip is counted and its reason told": {
			events: `{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: needs root\n"}
{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p"}`,
			want: "SKIP: needs root: p TestB\n1 passed, 0 failed, 1 skipped",
		},
		"the seeds of a fuzz target count as one": {
			events: `{"Action":"pass","Package":"p","Test":"FuzzA/seed#0"}
{"Action":"pass","Package":"p","Test":"FuzzA/seed#1"}
{"Action":"pass","Package":"p","Test":"FuzzA"}
{"Action":"pass","Package":"p"}`,
			want: "1 passed, 0 failed, 0 skipped",
		},
		"a run without any test is no success": {
			events: `{"Action":"output","Package":"p","Output":"?   p [no test files]\n"}
{"Action":"skip","Package":"p"}`,
			want: "no test ran\n0 passed, 0 failed, 0 skipped", code: 1,
		},
		"a run of skips alone is no success": {
			events: `{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			want: "SKIP: no reason given: p TestA\nno test ran\n0 passed, 0 failed, 1 skipped", code: 1,
		},
		"the slowest tests are named, with their subtests": {
			events: `{"Action":"pass","Package":"p","Test":"TestA/x","Elapsed":20}
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":20.5}
{"Action":"pass","Package":"p","Test":"TestB","Elapsed":9.9}
{"Action":"pass","Package":"p","Test":"TestC","Elapsed":30}
{"Action":"pass","Package":"p"}`,
			want: "slow: p TestC (30.0s)\nslow: p TestA (20.5s)\n3 passed, 0 failed, 0 skipped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			tally := newTally()
			if err := tally.read(strings.NewReader(tt.events), io.Discard); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			code := tally.report(&out)
			got := out.String()
			if i := strings.Index(got, "failed:\n"); i >= 0 {
				got = got[strings.LastIndex(strings.TrimRight(got, "\n"), "\n")+1:]
			}
			if diff := cmp.Diff(tt.want, strings.TrimRight(got, "\n")); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if code != tt.code {
				t.Errorf("status %d, want %d", code, tt.code)
			}
		})
	}
}

func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		last string
		code int
	}{
		"a step that succeeds passes":           {[]string{"-step", "x=true"}, "1 passed, 0 failed, 0 skipped", 0},
		"a step that fails fails":               {[]string{"-step", "x=false", "-step", "y=true"}, "1 passed, 1 failed, 0 skipped", 1},
		"go test that cannot run fails":         {[]string{"-step", "x=true", "--", "-no-such-flag"}, "1 passed, 1 failed, 0 skipped", 1},
		"a package that does not exist fails":   {[]string{"-step", "x=true", "--", "./nowhere"}, "1 passed, 1 failed, 0 skipped", 1},
		"a step without a command is bad usage": {[]string{"-step", "x"}, "", exitUsage},
		"nothing to run is bad usage":           {nil, "", exitUsage},
		"no processes are bad usage":            {[]string{"--", "-shards=0", "."}, "", exitUsage},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			code := run(t.Context(), tt.args, &out, io.Discard)
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			if got := lines[len(lines)-1]; got != tt.last || code != tt.code {
				t.Errorf("last line %q and status %d, want %q and %d\n%s", got, code, tt.last, tt.code, out.String())
			}
		})
	}
}

// Processes that share a package's tests count as one would.
func TestShards(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, content := range map[string]string{
		"go.mod": "module example.org/some\n",
		"some_test.go": `package some
import "testing"
func TestA(t *testing.T) {}
func TestAB(t *testing.T) { t.Run("sub", func(*testing.T) {}) }
func TestFails(t *testing.T) { t.Error("so") }
func TestIsSkipped(t *testing.T) { t.Skip("so") }
`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, flag := range []string{"-shards=1", "-shards=3", "-shards=9"} {
		var out, problems bytes.Buffer
		code := run(t.Context(), []string{"--", flag, "."}, &out, &problems)
		if !strings.HasSuffix(out.String(), "\n2 passed, 1 failed, 1 skipped\n") || code != exitFailed {
			t.Errorf("%s: status %d\n%s%s", flag, code, out.String(), problems.String())
		}
	}
}
