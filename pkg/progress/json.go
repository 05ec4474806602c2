package progress

import (
	"encoding/json"
	"io"
	"time"
)

// Event is a line of JSON as NewJSON writes it.
type Event struct {
	Time time.Time `json:"time"`
	// Event is a Kind, or "start", "progress", "finish" or "abort" of a blob.
	Event string `json:"event"`
	Image string `json:"image,omitempty"`
	ID    string `json:"id,omitempty"`
	Blob  string `json:"blob,omitempty"`
	// Bytes have come so far of Total, which is left out where it is unknown.
	Bytes *int64 `json:"bytes,omitempty"`
	Total int64  `json:"total,omitempty"`
	// Seconds is since the blob's start.
	Seconds float64 `json:"seconds,omitempty"`
	Text    string  `json:"text,omitempty"`
}

// jsonLines is the renderer for programs.
type jsonLines struct {
	w   io.Writer
	now func() time.Time
}

func (j *jsonLines) start(b *Bar) { j.blob("start", b, b.start) }

func (j *jsonLines) end(b *Bar) {
	event := "finish"
	if b.err {
		event = "abort"
	}
	j.blob(event, b, b.end)
}

func (j *jsonLines) tick(bars []*Bar) {
	for _, b := range bars {
		if b.end.IsZero() && b.done.Load() != b.told {
			j.blob("progress", b, j.now())
		}
	}
}

func (j *jsonLines) close([]*Bar) {}

func (j *jsonLines) note(n Note) {
	j.write(Event{Time: j.now(), Event: string(n.Kind), Image: n.Image, ID: n.ID, Blob: n.Blob, Text: n.Text})
}

func (j *jsonLines) blob(event string, b *Bar, at time.Time) {
	b.told = b.done.Load()
	n := b.told
	j.write(Event{Time: at, Event: event, Blob: b.label, Bytes: &n, Total: b.total, Seconds: at.Sub(b.start).Round(time.Millisecond).Seconds()})
}

func (j *jsonLines) write(e Event) {
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	line, err := json.Marshal(e)
	if err != nil {
		return // no field of an Event can cause it
	}
	// A file that is full must not end a fetch. A pipe without a reader does, as
	// it ends other programs.
	_, _ = j.w.Write(append(line, '\n'))
}
