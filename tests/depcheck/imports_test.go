package depcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what "go list -json" says of a package, as far as the rules need it.
type pkg struct {
	ImportPath, Dir, Name              string
	Standard                           bool
	Imports, TestImports, XTestImports []string
	Deps                               []string
	GoFiles                            []string
}

func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module) }

// list runs go list for the whole module.
func list(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Dir,Name,Standard,Imports,TestImports,XTestImports,Deps,GoFiles"}, args...)...)
	cmd.Dir = "../.."
	var msg bytes.Buffer
	cmd.Stderr = &msg
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, msg.String())
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		pkgs = append(pkgs, p)
	}
}

// violations are the rules that one import breaks.
func violations(from, imported string, test bool) []string {
	var found []string
	if to, ours := strings.CutPrefix(imported, module); ours {
		for _, a := range arrows() {
			if strings.HasPrefix(from+"/", a.from) && strings.HasPrefix(to+"/", a.to) {
				if test && a.to == "tests/" {
					continue // a package's tests may use a test's package
				}
				found = append(found, from+" imports "+to+": "+a.why)
			}
		}
		return found
	}
	testCode := test || strings.HasPrefix(from, "tests/")
	if why, bad := neverShipped()[imported]; bad && !testCode {
		found = append(found, from+" imports "+imported+": "+why)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return found // standard library
	}
	if testCode && slices.ContainsFunc(inTests(), func(p string) bool { return below(imported, p+"/") }) {
		return found
	}
	var rule owner
	for _, o := range owners() {
		if below(imported, o.api+"/") && len(o.api) > len(rule.api) {
			rule = o
		}
	}
	switch {
	case rule.api == "":
		found = append(found, from+" imports "+imported+": no line for it in tests/depcheck/rules.go")
	case rule.by != nil && !slices.ContainsFunc(rule.by, func(p string) bool { return below(from, p) }):
		found = append(found, from+" imports "+imported+": only "+strings.Join(rule.by, ", ")+" may")
	}
	return found
}

func TestImports(t *testing.T) {
	for _, p := range list(t, "./...") {
		t.Run(p.path(), func(t *testing.T) {
			for _, i := range p.Imports {
				for _, v := range violations(p.path(), i, false) {
					t.Error(v)
				}
			}
			for _, i := range slices.Concat(p.TestImports, p.XTestImports) {
				for _, v := range violations(p.path(), i, true) {
					t.Error("test: " + v)
				}
			}
		})
	}
}

func TestStage2LinksNextToNothing(t *testing.T) {
	standard := map[string]bool{}
	for _, p := range list(t, "std") {
		standard[p.ImportPath] = true
	}
	for _, p := range list(t, "./stage2/...") {
		if p.Name != "main" {
			continue
		}
		t.Run(p.path(), func(t *testing.T) {
			for _, d := range p.Deps {
				switch {
				case slices.Contains(stage2Never(), d):
					t.Errorf("links %s, which makes it big and slow", d)
				case standard[d] || d == "unsafe" || strings.HasPrefix(d, "vendor/"):
				case !slices.ContainsFunc(stage2Links(), func(prefix string) bool { return strings.HasPrefix(d, prefix) }):
					t.Errorf("links %s", d)
				}
			}
		})
	}
}

func TestTheRulesHold(t *testing.T) {
	for name, tt := range map[string]struct {
		from, imports string
		test          bool
		want          string
	}{
		"pkg may not import a stage":            {from: "pkg/pod", imports: module + "stage0/cli", want: "pkg/pod imports stage0/cli: pkg is below the stages"},
		"a stage may not import another":        {from: "stage1/nspawn", imports: module + "stage0/fetch", want: "stages meet in the stage contract"},
		"nor may its tests":                     {from: "stage1/nspawn", imports: module + "stage2/x", test: true, want: "stages meet in the stage contract"},
		"a stage may import pkg":                {from: "stage1/nspawn", imports: module + "pkg/pod"},
		"a package's tests may use the images":  {from: "pkg/layer", imports: module + "tests/images", test: true},
		"the package itself may not":            {from: "pkg/layer", imports: module + "tests/images", want: "nothing shipped"},
		"an API has one importing package":      {from: "pkg/pod", imports: "github.com/godbus/dbus/v5", want: "only pkg/sd may"},
		"a part of an API may have its own":     {from: "pkg/sd", imports: "github.com/coreos/go-systemd/v22/unit", want: "only pkg/unitfile may"},
		"an API nobody knows is refused":        {from: "pkg/pod", imports: "example.com/x", want: "no line for it"},
		"tests may compare":                     {from: "pkg/pod", imports: "github.com/google/go-cmp/cmp", test: true},
		"shipped code may not":                  {from: "pkg/pod", imports: "github.com/google/go-cmp/cmp", want: "no line for it"},
		"a name that only begins alike is none": {from: "stage0/clix", imports: "github.com/spf13/cobra", want: "only stage0/cli/ may"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(violations(tt.from, tt.imports, tt.test), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
