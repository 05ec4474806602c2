package progress

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal and what a person would see on it.
type terminal struct {
	mu       sync.Mutex
	master   *os.File
	slave    *os.File
	rows     []string // all lines so far, the scrolled ones too
	row, col int
	height   int
	lowest   int // the uppermost row that is still on the screen
	tried    string
	hidden   bool
	unknown  []string
	done     chan struct{}
}

func newTerminal(t *testing.T, width, height int) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	var number int
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if number, err = unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{master: master, slave: slave, height: height, done: make(chan struct{})}
	term.resize(t, width, height)
	go term.read()
	t.Cleanup(func() { slave.Close(); master.Close() })
	return term
}

func (m *terminal) resize(t *testing.T, width, height int) {
	t.Helper()
	if err := unix.IoctlSetWinsize(int(m.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(height), Col: uint16(width)}); err != nil {
		t.Fatal(err)
	}
}

// read follows what is written, until the other side is closed.
func (m *terminal) read() {
	defer close(m.done)
	buf := make([]byte, 4096)
	for {
		n, err := m.master.Read(buf)
		m.mu.Lock()
		for _, c := range buf[:n] {
			m.byte(c)
		}
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (m *terminal) byte(c byte) {
	if m.tried != "" || c == 0x1b {
		m.tried += string(c)
		if len(m.tried) > 2 && (c < '0' || c > '9') && c != '?' {
			m.escape(m.tried)
			m.tried = ""
		}
		return
	}
	for len(m.rows) <= m.row {
		m.rows = append(m.rows, "")
		m.lowest = max(0, len(m.rows)-m.height)
	}
	switch c {
	case '\r':
		m.col = 0
	case '\n':
		m.row++
		if m.row == len(m.rows) {
			m.rows = append(m.rows, "")
			m.lowest = max(0, len(m.rows)-m.height)
		}
	default:
		line := fmt.Sprintf("%-*s", m.col+1, m.rows[m.row])
		m.rows[m.row] = line[:m.col] + string(c) + line[m.col+1:]
		m.col++
	}
}

func (m *terminal) escape(seq string) {
	var n int
	switch last := seq[len(seq)-1]; {
	case last == 'A':
		_, _ = fmt.Sscanf(seq, "\x1b[%dA", &n)
		m.row = max(m.lowest, m.row-n)
	case seq == "\x1b[J":
		if m.row < len(m.rows) {
			m.rows[m.row] = m.rows[m.row][:min(m.col, len(m.rows[m.row]))]
			m.rows = m.rows[:m.row+1]
		}
	case seq == "\x1b[K":
		m.rows[m.row] = m.rows[m.row][:min(m.col, len(m.rows[m.row]))]
	case seq == "\x1b[?25l":
		m.hidden = true
	case seq == "\x1b[?25h":
		m.hidden = false
	default:
		m.unknown = append(m.unknown, seq)
	}
}

// wait waits until the screen is as a test wants it.
func (m *terminal) wait(t *testing.T, what string, ok func(text string) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		m.mu.Lock()
		text := strings.Join(m.rows, "\n")
		m.mu.Unlock()
		if ok(text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: the terminal shows\n%s", what, text)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finish closes the program's side and returns all that stays.
func (m *terminal) finish(t *testing.T) []string {
	t.Helper()
	if err := m.slave.Close(); err != nil {
		t.Fatal(err)
	}
	<-m.done
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.hidden || m.col != 0 || len(m.unknown) > 0 || m.tried != "" {
		t.Errorf("the terminal is left with the cursor hidden %t, in column %d, after unknown sequences %q%q", m.hidden, m.col, m.unknown, m.tried)
	}
	if m.row != len(m.rows)-1 || m.rows[m.row] != "" {
		t.Errorf("the cursor is left in row %d of %d", m.row, len(m.rows))
	}
	return m.rows
}

// words are the first words of lines.
func words(rows []string) []string {
	var first []string
	for _, row := range rows {
		word, _, _ := strings.Cut(row, " ")
		first = append(first, word)
	}
	return first
}

func TestTerminalEndsClean(t *testing.T) {
	t.Setenv("TERM", "xterm")
	m := newTerminal(t, 100, 24)
	d := New(m.slave)
	d.Note(Note{Kind: Resolving, Image: "docker://r/x"})
	m.wait(t, "what is under way", func(text string) bool { return strings.Contains(text, "resolving: docker://r/x") })
	a, b := d.Start("sha256:aaa", 100), d.Start("層\x1b[2J", 100)
	a.Add(50)
	m.wait(t, "a bar", func(text string) bool { return strings.Contains(text, "[==========          ]") })
	d.Note(Note{Kind: Retry, Blob: "sha256:aaa", Text: "reset"})
	m.wait(t, "a note", func(text string) bool { return strings.Contains(text, "retry: sha256:aaa reset") })
	a.Add(50)
	a.Done(true)
	b.Done(false)
	d.Close()
	d.Close()
	if diff := cmp.Diff([]string{"retry:", "sha256:aaa", "??[2J", ""}, words(m.finish(t))); diff != "" {
		t.Errorf("lines that stay (-want +got):\n%s", diff)
	}
}

func TestMoreTransfersThanRows(t *testing.T) {
	t.Setenv("TERM", "xterm")
	m := newTerminal(t, 100, 6)
	d := New(m.slave)
	var bars []*Bar
	for i := range 20 {
		bars = append(bars, d.Start(fmt.Sprintf("layer-%02d", i), 100))
	}
	m.wait(t, "the first bars", func(text string) bool {
		return strings.Contains(text, "layer-03") && strings.Contains(text, "and 16 more")
	})
	for _, b := range bars[:18] {
		b.Done(true)
	}
	m.wait(t, "the bars that move", func(text string) bool { return strings.Contains(text, "layer-19") })
	d.Close()
	rows := m.finish(t)
	if len(rows) != 6 {
		t.Errorf("%d lines stay, want 6: something scrolled\n%s", len(rows), strings.Join(rows, "\n"))
	}
}

func TestNarrowerAndNarrower(t *testing.T) {
	t.Setenv("TERM", "xterm")
	m := newTerminal(t, 120, 24)
	d := New(m.slave)
	b := d.Start("sha256:0123456789abcdef", 100)
	b.Add(50)
	for _, width := range []int{120, 90, 59, 30, 8, 100} {
		m.resize(t, width, 24)
		m.wait(t, fmt.Sprintf("%d columns", width), func(string) bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			s, ok := d.show.(*screen)
			return ok && len(s.drawn) == 1 && s.drawn[0] == len(b.line(d.now(), width)) && s.drawn[0] < width
		})
	}
	b.Done(true)
	d.Close()
	if rows := m.finish(t); rows[len(rows)-2] == "" {
		t.Error("the last line is empty")
	}
}

// TestKilledMidway: a process that ends without Close leaves the terminal clean.
func TestKilledMidway(t *testing.T) {
	t.Setenv("TERM", "xterm")
	m := newTerminal(t, 80, 24)
	d := New(m.slave)
	d.Start("sha256:aaa", 100).Add(10)
	m.wait(t, "a bar", func(text string) bool { return strings.Contains(text, "10%") })
	d.mu.Lock() // as a kill would, between two drawings
	m.finish(t)
	d.show = &lines{w: errWriter{}, now: d.time}
	d.mu.Unlock()
	d.Close()
}

type errWriter struct{}

func (errWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestDumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	m := newTerminal(t, 80, 24)
	d := New(m.slave)
	d.Start("sha256:aaa", 100).Done(true)
	d.Close()
	if diff := cmp.Diff([]string{"sha256:aaa", ""}, words(m.finish(t))); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
