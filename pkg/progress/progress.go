package progress

import (
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Kind says what a note is about.
type Kind string

// The kinds of notes.
const (
	Resolving Kind = "resolving" // a name is looked up
	Present   Kind = "present"   // it is in the store already
	Verifying Kind = "verifying" // signatures are being checked
	Retry     Kind = "retry"     // something failed and is tried again
	Warning   Kind = "warning"   // something is as it should not be
	Failed    Kind = "failed"    // fetching an image failed; text is the error
	Done      Kind = "done"      // an image is in the store
)

// Note is something that happened. Empty fields don't apply.
type Note struct {
	Kind  Kind
	Image string // the name it was asked for by
	ID    string // the image's, full
	Blob  string // the digest
	Text  string
}

// renderer shows transfers and notes. All calls are made with the Display's
// lock held.
type renderer interface {
	start(b *Bar)
	end(b *Bar)
	note(n Note)
	// tick shows transfers that move.
	tick(bars []*Bar)
	// close shows how all ended.
	close(bars []*Bar)
}

// Display shows any number of transfers on one writer. A nil Display shows
// nothing. Its methods may be called concurrently.
type Display struct {
	mu    sync.Mutex
	show  renderer
	every time.Duration // between two ticks; 0 is never
	bars  []*Bar
	stop  chan struct{}
	done  chan struct{}
	now   func() time.Time
}

// redraw is how often bars move, report how often programs hear of it.
const redraw, report = 100 * time.Millisecond, 500 * time.Millisecond

// New shows transfers on w: bars where w is a terminal, lines otherwise. Close
// must be called.
func New(w io.Writer) *Display {
	d := &Display{now: time.Now}
	if f, ok := w.(*os.File); ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd())) {
		d.show, d.every = &screen{w: w, size: func() (int, int, error) { return term.GetSize(int(f.Fd())) }, now: d.time}, redraw
		return d
	}
	d.show = &lines{w: w, now: d.time}
	return d
}

// NewJSON writes each event to w as one line of JSON, an Event.
func NewJSON(w io.Writer) *Display {
	d := &Display{now: time.Now, every: report}
	d.show = &jsonLines{w: w, now: d.time}
	return d
}

func (d *Display) time() time.Time { return d.now() }

// Bar is one transfer. A nil Bar shows nothing.
type Bar struct {
	d     *Display
	label string
	total int64
	done  atomic.Int64
	start time.Time
	end   time.Time
	err   bool
	told  int64 // bytes that were last reported
}

// Start adds a transfer of total bytes; 0 where that is unknown. The label is a
// digest, shortened or not.
func (d *Display) Start(label string, total int64) *Bar {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &Bar{d: d, label: clean(label), total: total, start: d.now()}
	d.show.start(b)
	if d.every == 0 {
		return b
	}
	d.bars = append(d.bars, b)
	d.run()
	return b
}

// run begins to tick. The lock is held.
func (d *Display) run() {
	if d.stop == nil && d.every > 0 {
		d.stop, d.done = make(chan struct{}), make(chan struct{})
		go d.loop(d.stop, d.done)
	}
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
	b.d.show.end(b)
}

// Note tells of something that happened. A terminal shows what is under way
// below the bars until something else is, and what went wrong above them; lines
// show only what went wrong; programs are told everything.
func (d *Display) Note(n Note) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.show.note(n)
	d.run()
}

// Close shows what is left to show and stops. The Display may be used again.
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
	d.show.close(d.bars)
	d.bars = nil
}

func (d *Display) loop(stop, done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(d.every)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			d.mu.Lock()
			d.show.tick(d.bars)
			d.mu.Unlock()
		}
	}
}
