package layers_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/raket/raket/pkg/layer/corpus"
)

// table is the comparison in the document.
type table struct {
	columns []string
	rows    []row
	text    string // as it stands there
}

type row struct {
	archive corpus.Archive
	cells   []string
}

const (
	tableBegin = "<!-- The comparison: written by go test ./tests/layers -run Peers -update -->\n"
	tableEnd   = "<!-- End of the comparison -->\n"
)

// String is the table in Markdown, a section a class.
func (t table) String() string {
	var b strings.Builder
	for _, class := range corpus.Classes() {
		fmt.Fprintf(&b, "\n### %s\n\n| Archive | Tries | %s |\n|---|---|%s\n", strings.ToUpper(class[:1])+class[1:], strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
		for _, r := range t.rows {
			if r.archive.Class != class {
				continue
			}
			cells := append([]string{}, r.cells...)
			if r.archive.Note != "" {
				cells[0] += ": " + r.archive.Note
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.archive.Name, strings.ReplaceAll(r.archive.Does, "|", `\|`), strings.Join(cells, " | "))
		}
	}
	b.WriteByte('\n')
	return b.String()
}

// readTable finds the table in a document.
func readTable(path string) (table, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return table{}, err
	}
	_, rest, ok := strings.Cut(string(raw), tableBegin)
	text, _, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		return table{}, fmt.Errorf("%s has no comparison", path)
	}
	t := table{text: text}
	for line := range strings.Lines(text) {
		cells := splitRow(line)
		switch {
		case len(cells) < 3:
		case cells[0] == "Archive":
			t.columns = cells[2:]
		case strings.HasPrefix(cells[0], "`"):
			t.rows = append(t.rows, row{corpus.Archive{Name: strings.Trim(cells[0], "`")}, cells[2:]})
		}
	}
	return t, nil
}

func splitRow(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "| ") {
		return nil
	}
	return strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
}

func (t table) cell(name string, column int) string {
	for _, r := range t.rows {
		if r.archive.Name == name && column < len(r.cells) {
			return r.cells[column]
		}
	}
	return "not tried"
}

// write puts the table into a document in the place of the old one.
func (t table) write(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, _ := strings.Cut(string(raw), tableBegin)
	_, after, _ := strings.Cut(rest, tableEnd)
	return os.WriteFile(path, []byte(before+tableBegin+t.String()+tableEnd+after), 0o644)
}

func changed(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}
	}
	return time.Unix(st.Ctim.Unix())
}
