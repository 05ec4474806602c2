package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/raket/raket/pkg/complaint"
)

// report prints an error and returns what to exit with.
func (e *env) report(verb string, err error) int {
	var app exitWith
	if errors.As(err, &app) {
		return int(app)
	}
	who := program
	if e.asRkt && verb != "" {
		// rkt's messages began with the part that speaks.
		who, _, _ = strings.Cut(verb, " ")
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	complaint.Line(e.stderr, who+": "+oneLine(err.Error()))
	if e.debug {
		printTree(e.stderr, err, "  ")
	}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		fmt.Fprintf(e.stderr, "hint: %s\n", oneLine(hinted.Hint()))
	} else if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		fmt.Fprintln(e.stderr, "hint: try it as root")
	}
	var coded interface{ ExitCode() int }
	if errors.As(err, &coded) {
		return coded.ExitCode()
	}
	return exitError
}

// oneLine is an error's text on one line: joined errors have one each, and
// names from outside may hold anything.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// printTree prints what an error wraps, each below what wraps it.
func printTree(w io.Writer, err error, indent string) {
	for _, inner := range unwrap(err) {
		if _, wrapsOnly := err.(*fault); wrapsOnly {
			printTree(w, inner, indent)
			continue
		}
		fmt.Fprintf(w, "%s└─ %s (%T)\n", indent, oneLine(inner.Error()), inner)
		printTree(w, inner, indent+"   ")
	}
}

func unwrap(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return []error{inner}
		}
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	}
	return nil
}
