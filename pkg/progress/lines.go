package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// lines is the renderer for files and pipes: a line for each transfer that
// ended well, and for what went wrong without ending the fetch.
type lines struct {
	w   io.Writer
	now func() time.Time
}

func (l *lines) start(*Bar)   {}
func (l *lines) tick([]*Bar)  {}
func (l *lines) close([]*Bar) {}

func (l *lines) end(b *Bar) {
	if !b.err {
		fmt.Fprintln(l.w, b.line(b.end, wide))
	}
}

func (l *lines) note(n Note) {
	if n.lasting() {
		fmt.Fprintln(l.w, n.line())
	}
}

// lasting tells what is worth a line that stays.
func (n Note) lasting() bool { return n.Kind == Retry || n.Kind == Warning }

func (n Note) line() string {
	parts := []string{string(n.Kind) + ":"}
	for _, s := range []string{n.Image, n.Blob, n.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return clean(strings.Join(parts, " "))
}

const (
	labelWidth, barWidth = 24, 20
	// shownLabel is enough of a digest to tell it from others.
	shownLabel = len("sha256:") + 12
	// wide is room for everything; narrow for no bar.
	wide, narrow = 100, 60
)

// shortLabel keeps the beginning of a digest, and the end of a name.
func shortLabel(label string) string {
	switch {
	case strings.HasPrefix(label, "sha256:"):
		return label[:min(len(label), shownLabel)]
	case len(label) > labelWidth:
		const dots = "..."
		return dots + label[len(label)-labelWidth+len(dots):]
	}
	return label
}

// line is ASCII, so that its length is its width, which is less than width.
func (b *Bar) line(now time.Time, width int) string {
	done := b.done.Load()
	if !b.end.IsZero() {
		now = b.end
	}
	elapsed := now.Sub(b.start)
	rate := ""
	if elapsed >= 10*time.Millisecond && done > 0 {
		rate = Size(int64(float64(done)/elapsed.Seconds())) + "/s"
	}
	label := shortLabel(b.label)
	if width < narrow {
		label = label[:min(len(label), max(width/2, 1))]
	} else {
		label = fmt.Sprintf("%-*s", labelWidth, label)
	}
	var text string
	switch {
	case b.err:
		text = label + " failed"
	case !b.end.IsZero() && width < narrow:
		text = label + " " + Size(done)
	case !b.end.IsZero():
		text = fmt.Sprintf("%s %10s in %6s  %s", label, Size(done), elapsed.Round(10*time.Millisecond), rate)
	case b.total <= 0:
		text = fmt.Sprintf("%s %10s  %s", label, Size(done), rate)
	case width < narrow:
		text = fmt.Sprintf("%s %3d%% %s", label, percent(done, b.total), left(elapsed, done, b.total))
	case width < wide:
		text = fmt.Sprintf("%s %3d%% of %-10s %12s  %s", label, percent(done, b.total), Size(b.total), rate, left(elapsed, done, b.total))
	default:
		filled := int(float64(min(done, b.total)) / float64(b.total) * barWidth)
		text = fmt.Sprintf("%s [%s%s] %10s of %-10s %12s  %s", label, strings.Repeat("=", filled), strings.Repeat(" ", barWidth-filled),
			Size(done), Size(b.total), rate, left(elapsed, done, b.total))
	}
	return cut(strings.TrimRight(text, " "), width)
}

func percent(done, total int64) int { return int(float64(min(done, total)) / float64(total) * 100) }

func left(elapsed time.Duration, done, total int64) string {
	if done <= 0 || done >= total {
		return ""
	}
	const most = 99 * time.Hour // the rest of eternity is not worth a column
	seconds := elapsed.Seconds() * float64(total-done) / float64(done)
	if seconds > most.Seconds() {
		return ""
	}
	return time.Duration(seconds*float64(time.Second)).Round(time.Second).String() + " left"
}

// cut keeps the last column free: some terminals move on when it is written.
func cut(s string, width int) string { return s[:min(len(s), max(width-1, 0))] }

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

// clean keeps text from moving the cursor, and makes its length its width.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
