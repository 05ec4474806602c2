package progress

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// screen is the renderer for terminals: the lines of all transfers at its
// bottom, drawn again and again over themselves. A drawing is one write, and
// erases only what it does not write over, so nothing flickers.
type screen struct {
	w    io.Writer
	size func() (width, height int, err error)
	now  func() time.Time
	// drawn are the lengths of the lines that the next drawing replaces.
	drawn []int
	// status is what is under way, lasting what is to be printed above the rest.
	status  string
	lasting []string
}

func (s *screen) start(*Bar) {}
func (s *screen) end(*Bar)   {}

func (s *screen) note(n Note) {
	switch {
	case n.lasting():
		s.lasting = append(s.lasting, n.line())
	case n.Kind == Resolving || n.Kind == Verifying:
		s.status = n.line()
	default:
		s.status = ""
	}
}

func (s *screen) tick(bars []*Bar) { s.draw(bars) }

func (s *screen) close(bars []*Bar) {
	s.status = ""
	s.draw(bars)
	s.drawn = nil
}

// draw replaces the lines drawn last.
func (s *screen) draw(bars []*Bar) {
	width, height, err := s.size()
	if err != nil || width < 8 || height < 2 {
		width, height = 80, 24
	}
	text := s.lines(bars, width, height)
	var out strings.Builder
	// A terminal that has become narrower has wrapped what was there.
	up := 0
	for _, n := range s.drawn {
		up += max(1, (n+width-1)/width)
	}
	if up = min(up, height-1); up > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", up)
	}
	out.WriteByte('\r')
	for _, line := range s.lasting {
		fmt.Fprintf(&out, "%s\x1b[K\n", cut(line, max(width, wide)))
	}
	s.lasting, s.drawn = nil, s.drawn[:0]
	for _, line := range text {
		fmt.Fprintf(&out, "%s\x1b[K\n", line)
		s.drawn = append(s.drawn, len(line))
	}
	out.WriteString("\x1b[J")
	_, _ = io.WriteString(s.w, out.String()) // nobody to tell
}

// lines are as many as fit above the cursor's: what has scrolled away can't be
// replaced. Transfers that ended give way first.
func (s *screen) lines(bars []*Bar, width, height int) []string {
	room := height - 1
	if s.status != "" {
		room--
	}
	hidden := 0
	if len(bars) > room {
		room-- // for how many are hidden
		kept := make([]*Bar, 0, len(bars))
		ended := len(bars) - room
		for _, b := range bars {
			if ended > 0 && !b.end.IsZero() {
				ended--
				continue
			}
			kept = append(kept, b)
		}
		kept = kept[:min(len(kept), max(room, 0))]
		hidden, bars = len(bars)-len(kept), kept
	}
	var text []string
	now := s.now()
	for _, b := range bars {
		text = append(text, b.line(now, width))
	}
	if hidden > 0 {
		text = append(text, cut(fmt.Sprintf("and %d more", hidden), width))
	}
	if s.status != "" {
		text = append(text, cut(s.status, width))
	}
	return text
}
