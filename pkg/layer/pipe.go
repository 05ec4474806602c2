package layer

import (
	"io"
	"sync"
)

// pipe reads its source in a goroutine, a few chunks ahead of its consumer, so
// that the two use a processor each. Memory is chunks × size.
type pipe struct {
	full chan chunk
	free chan []byte
	stop chan struct{}
	once sync.Once
	done chan struct{}
	cur  chunk
	off  int
}

type chunk struct {
	buf []byte
	err error
}

func readAhead(src io.Reader, size, chunks int) *pipe {
	p := &pipe{
		full: make(chan chunk, chunks), free: make(chan []byte, chunks),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	for range chunks {
		p.free <- nil // allocated on first use: most layers are small
	}
	go p.run(src, size)
	return p
}

func (p *pipe) run(src io.Reader, size int) {
	defer close(p.done)
	for {
		var buf []byte
		select {
		case buf = <-p.free:
		case <-p.stop:
			return
		}
		if buf == nil {
			buf = make([]byte, size)
		}
		buf = buf[:size]
		// Not io.ReadFull: its io.ErrUnexpectedEOF could not be told from the
		// source's own, which is a stream cut short.
		n := 0
		var err error
		for n < len(buf) && err == nil {
			var m int
			m, err = src.Read(buf[n:])
			n += m
		}
		select {
		case p.full <- chunk{buf[:n], err}:
		case <-p.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// Read returns the source's error once all before it was read.
func (p *pipe) Read(b []byte) (int, error) {
	for p.off == len(p.cur.buf) {
		if p.cur.err != nil {
			return 0, p.cur.err
		}
		if p.cur.buf != nil {
			p.free <- p.cur.buf
		}
		p.cur, p.off = <-p.full, 0
	}
	n := copy(b, p.cur.buf[p.off:])
	p.off += n
	return n, nil
}

// Close waits for the goroutine. A source that blocks must have been closed
// before.
func (p *pipe) Close() {
	p.once.Do(func() { close(p.stop) })
	<-p.done
}
