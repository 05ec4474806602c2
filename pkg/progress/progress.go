package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Display shows any number of transfers on one writer. A nil Display shows
// nothing. Its methods may be called concurrently.
type Display struct {
	mu    sync.Mutex
	w     io.Writer
	fd    int // of the terminal, -1 where lines are printed instead
	bars  []*Bar
	drawn int // lines on the screen that the next drawing replaces
	stop  chan struct{}
	done  chan struct{}
	now   func() time.Time
}

const redraw = 100 * time.Millisecond

// New shows transfers on w: bars where w is a terminal, lines otherwise. Close
// must be called.
func New(w io.Writer) *Display {
	d := &Display{w: w, fd: -1, now: time.Now}
	if f, ok := w.(*os.File); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		d.fd = int(f.Fd())
	}
	return d
}

// Bar is one transfer. A nil Bar shows nothing.
type Bar struct {
	d     *Display
	label string
	total int64
	done  atomic.Int64
	start time.Time
	end   time.Time
	err   bool
}

// Start adds a transfer of total bytes; 0 where that is unknown.
func (d *Display) Start(label string, total int64) *Bar {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &Bar{d: d, label: clean(label), total: total, start: d.now()}
	if d.fd < 0 {
		return b
	}
	d.bars = append(d.bars, b)
	if d.stop == nil {
		d.stop, d.done = make(chan struct{}), make(chan struct{})
		go d.loop(d.stop, d.done)
	}
	return b
}

// Add tells of n more bytes.
func (b *Bar) Add(n int) {
	if b != nil {
		b.done.Add(int64(n))
	}
}

// Done ends the transfer, well or (ok false) badly.
func (b *Bar) Done(ok bool) {
	if b == nil {
		return
	}
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	if !b.end.IsZero() {
		return
	}
	b.end, b.err = b.d.now(), !ok
	if b.d.fd < 0 && ok {
		fmt.Fprintln(b.d.w, b.line(b.end))
	}
}

// Close draws what is left to draw and stops. The Display may be used again.
func (d *Display) Close() {
	if d == nil {
		return
	}
	d.mu.Lock()
	stop, done := d.stop, d.done
	d.stop = nil
	d.mu.Unlock()
	if stop == nil {
		return
	}
	close(stop)
	<-done
	d.mu.Lock()
	defer d.mu.Unlock()
	d.draw()
	d.bars, d.drawn = nil, 0
}

func (d *Display) loop(stop, done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			d.mu.Lock()
			d.draw()
			d.mu.Unlock()
		}
	}
}

// draw replaces the lines drawn last. Bars beyond the height of the terminal
// are left out, ended ones first: what scrolled away can't be replaced.
func (d *Display) draw() {
	width, height, err := term.GetSize(d.fd)
	if err != nil || width < 20 || height < 2 {
		width, height = 80, 24
	}
	bars := d.bars
	for i := 0; len(bars) > height-1 && i < len(bars); {
		if bars[i].end.IsZero() {
			i++
			continue
		}
		bars = append(bars[:i:i], bars[i+1:]...)
	}
	bars = bars[:min(len(bars), height-1)]
	var out strings.Builder
	if d.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", d.drawn)
	}
	out.WriteString("\r\x1b[J")
	now := d.now()
	for _, b := range bars {
		line := b.line(now)
		fmt.Fprintf(&out, "%.*s\n", width-1, line)
	}
	d.drawn = len(bars)
	_, _ = io.WriteString(d.w, out.String())
}

const labelWidth, barWidth = 24, 20

// line is ASCII, so that its length is its width.
func (b *Bar) line(now time.Time) string {
	done := b.done.Load()
	if !b.end.IsZero() {
		now = b.end
	}
	elapsed := now.Sub(b.start)
	rate := ""
	if elapsed >= 10*time.Millisecond && done > 0 {
		rate = Size(int64(float64(done)/elapsed.Seconds())) + "/s"
	}
	switch {
	case b.err:
		return fmt.Sprintf("%-*s failed", labelWidth, b.label)
	case !b.end.IsZero():
		return strings.TrimRight(fmt.Sprintf("%-*s %10s in %6s  %s", labelWidth, b.label, Size(done), elapsed.Round(10*time.Millisecond), rate), " ")
	case b.total <= 0:
		return strings.TrimRight(fmt.Sprintf("%-*s %10s  %s", labelWidth, b.label, Size(done), rate), " ")
	}
	filled := int(min(done, b.total) * barWidth / b.total)
	left := ""
	if done > 0 && done < b.total {
		d := time.Duration(float64(elapsed) * float64(b.total-done) / float64(done))
		left = d.Round(time.Second).String() + " left"
	}
	return strings.TrimRight(fmt.Sprintf("%-*s [%s%s] %10s of %-10s %12s  %s", labelWidth, b.label,
		strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled), Size(done), Size(b.total), rate, left), " ")
}

// Size prints a number of bytes with three digits or so: "512 B", "1.4 MiB".
func Size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}

const units = "KMGTPE"

// clean keeps a label from moving the cursor.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
