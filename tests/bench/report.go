package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is the whole result, as it is written to JSON.
type report struct {
	Machine     machine   `json:"machine"`
	Rounds      int       `json:"rounds"`
	FetchRounds int       `json:"fetch_rounds"`
	Quick       bool      `json:"quick,omitempty"`
	Tables      []table   `json:"tables"`
	Verdicts    []verdict `json:"targets"`
}

// failed tells whether a contender that should have run did not.
func (r report) failed() bool {
	return slices.ContainsFunc(r.Tables, func(t table) bool {
		return slices.ContainsFunc(t.Rows, func(w row) bool { return w.Failed })
	})
}

func (r report) missed() bool {
	return slices.ContainsFunc(r.Verdicts, func(v verdict) bool { return v.Result == missed })
}

// writeJSON writes the report, making the directory.
func (r report) writeJSON(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, append(data, '\n'), 0o644))
}

// print writes the tables and the verdicts for people.
func (r report) print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%d rounds, %d of fetch, after one that does not count; each figure is minimum/median\n", r.Machine, r.Rounds, r.FetchRounds)
	for _, t := range r.Tables {
		if err := t.print(w); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\nTargets (minima compared)\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range r.Verdicts {
		value := "-"
		if v.Result != unmeasured {
			value = number(v.Value) + " " + v.Unit
		}
		beside := ""
		if v.Peer != "" {
			beside = "\t" + v.Peer + ": " + number(v.Beside) + " " + v.Unit
		}
		fmt.Fprintf(tw, "  %s\t%s\tlimit %s\t%s%s\n", v.Name, value, number(v.Limit), strings.ToUpper(v.Result), beside)
	}
	return tw.Flush()
}

func (t table) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s\n", t.Title)
	var columns []string
	units := map[string]string{}
	for _, r := range t.Rows {
		for _, f := range r.Figures {
			if _, ok := units[f.Name]; !ok {
				columns, units[f.Name] = append(columns, f.Name), f.Unit
			}
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	head := []string{" "}
	for _, c := range columns {
		head = append(head, strings.TrimSpace(c+" "+units[c]))
		if t.Reference != "" {
			head = append(head, "x "+t.Reference)
		}
	}
	fmt.Fprintln(tw, strings.Join(head, "\t"))
	for _, r := range t.Rows {
		cells := []string{"  " + r.Subject}
		for _, c := range columns {
			f, ok := t.figure(r.Subject, c)
			cells = append(cells, cell(f, ok))
			if t.Reference != "" {
				cells = append(cells, t.ratio(f, ok))
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, r := range t.Rows {
		if r.Note != "" {
			fmt.Fprintf(w, "  %s: %s\n", r.Subject, r.Note)
		}
	}
	return nil
}

// ratio compares a figure's minimum with that of the reference row.
func (t table) ratio(f figure, ok bool) string {
	ref, found := t.figure(t.Reference, f.Name)
	if !ok || !found || ref.Min == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", f.Min/ref.Min)
}

func cell(f figure, ok bool) string {
	switch {
	case !ok:
		return "-"
	case f.N == 1:
		return number(f.Min)
	}
	return number(f.Min) + "/" + number(f.Median)
}

// number keeps three digits that mean something.
func number(v float64) string {
	switch {
	case v == float64(int64(v)) || v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}
