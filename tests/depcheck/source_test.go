package depcheck

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSource(t *testing.T) {
	for _, p := range list(t, "./...") {
		t.Run(p.path(), func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(p.Dir, "doc.go")); err != nil {
				t.Error("no doc.go")
			}
			if slices.Contains(vagueNames(), filepath.Base(p.Dir)) {
				t.Errorf("package name %q says nothing", filepath.Base(p.Dir))
			}
			for _, name := range p.GoFiles {
				text, err := os.ReadFile(filepath.Join(p.Dir, name))
				if err != nil {
					t.Fatal(err)
				}
				if n := bytes.Count(text, []byte("\n")); n > maxLines {
					t.Errorf("%s has %d lines, more than %d", name, n, maxLines)
				}
				for _, v := range inSource(t, p, name, text) {
					t.Error(v)
				}
			}
		})
	}
}

// inSource are the rules that a file breaks.
func inSource(t *testing.T, p pkg, name string, text []byte) []string {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	say := func(at token.Pos, what string) { found = append(found, fset.Position(at).String()+": "+what) }
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		if fn.Recv == nil && fn.Name.Name == "init" {
			say(fn.Pos(), "init() runs at every start, unseen")
		}
		main := p.Name == "main" && fn.Name.Name == "main"
		must := strings.HasPrefix(strings.ToLower(fn.Name.Name), "must")
		ast.Inspect(fn.Body, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch callee := call.Fun.(type) {
			case *ast.Ident:
				if callee.Name == "panic" && !must && !abortsHandler(call) {
					say(call.Pos(), "panic outside a Must function")
				}
			case *ast.SelectorExpr:
				x, _ := callee.X.(*ast.Ident)
				if x != nil && x.Name == "os" && callee.Sel.Name == "Exit" && !main {
					say(call.Pos(), "os.Exit below main")
				}
				if x != nil && x.Name == "log" && strings.HasPrefix(callee.Sel.Name, "Fatal") {
					say(call.Pos(), "log.Fatal exits below main")
				}
			}
			return true
		})
	}
	return found
}

// abortsHandler says whether a panic is net/http's own way to end an answer in the middle.
func abortsHandler(call *ast.CallExpr) bool {
	s, ok := call.Args[0].(*ast.SelectorExpr)
	return ok && s.Sel.Name == "ErrAbortHandler"
}

func TestTheSourceRulesHold(t *testing.T) {
	for name, tt := range map[string]struct{ source, want string }{
		"init is found":               {"package x\nfunc init() {}", "init()"},
		"a method called init is not": {"package x\nfunc (t T) init() {}", ""},
		"a panic is found":            {"package x\nfunc f() { panic(1) }", "panic outside"},
		"a panic in Must is not":      {"package x\nfunc MustF() { panic(1) }", ""},
		"os.Exit below main is found": {"package main\nfunc run() { os.Exit(1) }", "os.Exit below main"},
		"os.Exit in main is not":      {"package main\nfunc main() { os.Exit(1) }", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pkg{Name: "x"}
			if strings.HasPrefix(tt.source, "package main") {
				p.Name = "main"
			}
			got := strings.Join(inSource(t, p, "x.go", []byte(tt.source)), "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
