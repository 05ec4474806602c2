package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// The words of --format.
const (
	formatTable      = "table"
	formatJSON       = "json"
	formatJSONPretty = "json-pretty"
)

// tableFlags are the flags of every verb that prints a table.
type tableFlags struct {
	format   *choice
	noLegend bool
	full     bool
}

func (t *tableFlags) define(cmd *cobra.Command, full string) {
	t.format = choiceFlag(cmd, "format", formatTable, "print a table or JSON", formatTable, formatJSON, formatJSONPretty)
	cmd.Flags().BoolVar(&t.noLegend, "no-legend", false, "print no line of headings")
	cmd.Flags().BoolVar(&t.full, "full", false, full)
}

// isJSON reports whether JSON is wanted.
func (t *tableFlags) isJSON() bool { return t.format.value != formatTable }

// printJSON prints v as --format says.
func (t *tableFlags) printJSON(w io.Writer, v any) error {
	return printJSON(w, v, t.format.value == formatJSONPretty)
}

func printJSON(w io.Writer, v any, pretty bool) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if pretty {
		enc.SetIndent("", "\t")
	}
	return enc.Encode(v)
}

// printTable prints rows: aligned by spaces for people, by tabs as rkt did, and
// with one tab between columns for programs.
func (e *env) printTable(legend []string, rows [][]string) error {
	if legend != nil {
		rows = append([][]string{legend}, rows...)
	}
	var w interface {
		io.Writer
		Flush() error
	}
	const gap = 2
	switch {
	case e.asRkt:
		const tabWidth = 8
		w = tabwriter.NewWriter(e.stdout, 0, tabWidth, 1, '\t', 0)
	case e.terminal:
		w = tabwriter.NewWriter(e.stdout, 0, 0, gap, ' ', 0)
	default:
		w = bufio.NewWriter(e.stdout)
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(cell)
		}
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// printable keeps a name from outside from breaking a table or a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '?'
		}
		return r
	}, s)
}

// timeLayout is rkt's.
const timeLayout = "2006-01-02 15:04:05.999 -0700 MST"

// moment prints a time: how long ago it was for people, in full for programs
// and where that is asked for. A zero time is nothing.
func (e *env) moment(t time.Time, full bool) string {
	switch {
	case t.IsZero():
		return ""
	case full || e.asRkt || !e.terminal:
		return t.Format(timeLayout)
	}
	return ago(e.now().Sub(t))
}

// ago is a duration in words.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	for _, unit := range []struct {
		name string
		d    time.Duration
	}{{"year", 365 * day}, {"month", 30 * day}, {"day", day}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}} {
		if n := int(d / unit.d); n > 1 {
			return fmt.Sprintf("%d %ss ago", n, unit.name)
		} else if n == 1 {
			return fmt.Sprintf("1 %s ago", unit.name)
		}
	}
	return "now"
}
