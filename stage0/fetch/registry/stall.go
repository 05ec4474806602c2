package registry

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

var errStalled = errors.New("registry stalled")

// minProgressBytes is what must come in a stall timeout: less than that is no
// transfer, but a way to hold a client up.
const minProgressBytes = 4 << 10

// stallReader closes what it reads when too little came for a while, which
// makes the blocked Read return. Only time spent in Read counts: who reads
// slowly is not stalled.
type stallReader struct {
	r       io.ReadCloser
	limit   time.Duration
	timer   *time.Timer
	waited  time.Duration // since got was 0
	got     int
	stalled atomic.Bool
}

func newStallReader(r io.ReadCloser, limit time.Duration) *stallReader {
	s := &stallReader{r: r, limit: limit}
	s.timer = time.AfterFunc(limit, func() {
		s.stalled.Store(true)
		_ = r.Close()
	})
	s.timer.Stop()
	return s
}

func (s *stallReader) Read(p []byte) (int, error) {
	begin := time.Now()
	s.timer.Reset(max(s.limit-s.waited, time.Millisecond))
	n, err := s.r.Read(p)
	s.timer.Stop()
	if s.got += n; s.got >= minProgressBytes {
		s.got, s.waited = 0, 0
	} else {
		s.waited += time.Since(begin)
	}
	if err != nil && s.stalled.Load() && !errors.Is(err, io.EOF) {
		what := fmt.Sprintf("%d bytes", s.got)
		if s.got == 0 {
			what = "nothing"
		}
		return n, &stallError{text: fmt.Sprintf("registry sent %s for %s", what, s.limit)}
	}
	return n, err
}

func (s *stallReader) Close() error {
	s.timer.Stop()
	return s.r.Close()
}

type stallError struct{ text string }

func (e *stallError) Error() string        { return e.text }
func (e *stallError) Is(target error) bool { return target == errStalled }
