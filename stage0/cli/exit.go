package cli

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/raket/raket/pkg/stageabi"
)

// Exit codes of raket itself. Those of an app, as run returns them, may be any.
const (
	exitOK         = stageabi.ExitOK
	exitUnreadable = 1 // status: the file of --uuid-file can't be read
	exitExec       = stageabi.ExitExec
	exitNamespace  = stageabi.ExitNamespace
	exitError      = stageabi.ExitCommand
)

// exitApp stands in the table for whatever code an app ends with.
const exitApp = -1

// exitRow is a line of the table of exit codes.
type exitRow struct {
	code    int
	meaning string
}

// exitTable is the one table of exit codes: what help, the man pages and the
// documents say comes from here.
func exitTable() []exitRow {
	return []exitRow{
		{exitOK, "Done. Of run and run-prepared: every app ended with 0."},
		{exitApp, "Of run, run-prepared and attach: the code of the app that failed first, or was attached to; of enter and exec: the command's."},
		{exitUnreadable, "The file given to --uuid-file can't be read."},
		{exitExec, "An app's executable, or that of a command in an app, can't be run."},
		{exitNamespace, "An app's root or its namespaces can't be made."},
		{exitError, "The command itself failed; standard error says why."},
	}
}

func (r exitRow) name() string {
	if r.code == exitApp {
		return "N"
	}
	return strconv.Itoa(r.code)
}

const exitAnnotation = "exit-status"

// exits says which lines of the table a verb's help shows.
func exits(codes ...int) map[string]string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = strconv.Itoa(c)
	}
	return map[string]string{exitAnnotation: strings.Join(words, " ")}
}

// exitsOf are the lines of a verb.
func exitsOf(cmd *cobra.Command) []exitRow {
	var rows []exitRow
	for word := range strings.FieldsSeq(cmd.Annotations[exitAnnotation]) {
		for _, r := range exitTable() {
			if strconv.Itoa(r.code) == word {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// fault is an error that knows more than its text.
type fault struct {
	err  error
	hint string // the next command to try; may be empty
	code int    // 0 means exitError
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// Hint is the next command to try. Errors of other packages may have it too.
func (f *fault) Hint() string { return f.hint }

// ExitCode is what raket exits with.
func (f *fault) ExitCode() int {
	if f.code == 0 {
		return exitError
	}
	return f.code
}

// usageError is a command line that makes no sense.
func usageError(cmd *cobra.Command, format string, args ...any) error {
	return &fault{err: fmt.Errorf(format, args...), hint: "raket help " + verbOf(cmd)}
}

// verbOf is a command's name without the program's: "image list".
func verbOf(cmd *cobra.Command) string {
	_, verb, _ := strings.Cut(cmd.CommandPath(), " ")
	return verb
}

// exitWith ends a verb that has nothing to say with an app's code.
type exitWith int

func (c exitWith) Error() string { return fmt.Sprintf("exit status %d", int(c)) }
