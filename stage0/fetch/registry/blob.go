package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

const (
	// resumeBytes is what an attempt must bring to count as progress.
	resumeBytes = 64 << 10
	maxResumes  = 1000
)

// Blob begins to read a blob. The bytes are not verified; see Distrust. A
// stream that breaks goes on by itself. ctx is for the whole reading; the
// reader may be closed while it is being read. The error is fs.ErrNotExist
// where there is no such blob.
func (s *Source) Blob(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	return s.BlobFrom(ctx, d, 0)
}

// BlobFrom is Blob from the byte at offset on, for who has those before it.
// It is empty where the blob has no more.
func (s *Source) BlobFrom(ctx context.Context, d digest.Digest, offset int64) (io.ReadCloser, error) {
	if err := d.Validate(); err != nil || offset < 0 {
		return nil, fmt.Errorf("bad digest %q or offset %d of a blob", d, offset)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	b := &blobReader{source: s, id: d, ctx: ctx, cancel: cancel, at: -1, total: -1, offset: offset}
	at, err := s.each(ctx, func(e *endpoint) error { return b.connect(e, e.get) })
	if err != nil {
		cancel(nil)
		return nil, err
	}
	b.begin(at)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gave[d] = at
	return b, nil
}

// blobReader is a blob that is read over as many connections as it takes.
type blobReader struct {
	source *Source
	id     digest.Digest
	ctx    context.Context // of the reading, ended by Close
	cancel context.CancelCauseFunc

	// The rest is the reading goroutine's.
	at      int // endpoint
	tries   *retrier
	resumes int
	etag    string // of that endpoint, empty for none
	total   int64  // -1: not known
	offset  int64
	since   int64 // bytes since the stream last broke
	err     error

	mu     sync.Mutex
	body   io.ReadCloser
	closed bool
}

// begin notes which endpoint the body is from.
func (b *blobReader) begin(at int) {
	b.at = at
	b.tries = newRetrier(b.source.endpoints[at].opts.Retry, b.source.endpoints[at].mirror)
}

func (b *blobReader) Read(p []byte) (int, error) {
	for {
		if b.err != nil {
			return 0, b.err
		}
		n, err := b.current().Read(p)
		b.offset += int64(n)
		if b.since += int64(n); b.since >= resumeBytes {
			b.tries.progressed()
		}
		switch {
		case b.total >= 0 && b.offset > b.total:
			b.err = b.lie("more than the %d bytes it said", b.total)
		case err == nil:
			return n, nil
		case b.ctx.Err() != nil:
			b.err = context.Cause(b.ctx)
		case b.offset == b.total, errors.Is(err, io.EOF) && b.total < 0:
			b.err = io.EOF
		case errors.Is(err, io.EOF):
			b.err = b.resume(io.ErrUnexpectedEOF)
		default:
			b.err = b.resume(err)
		}
		if n > 0 || b.err != nil {
			return n, b.err
		}
	}
}

// Close ends the reading, and a Read that waits.
func (b *blobReader) Close() error {
	b.cancel(os.ErrClosed)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.body.Close()
}

func (b *blobReader) current() io.ReadCloser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.body
}

// replace has the next Read read from body.
func (b *blobReader) replace(body io.ReadCloser) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.body != nil {
		_ = b.body.Close()
	}
	b.body = body
	if b.closed {
		_ = body.Close()
	}
}

// resume goes on after a break: at the same endpoint while that helps, then at
// the next ones.
func (b *blobReader) resume(broke error) error {
	_ = b.current().Close()
	b.since = 0
	if b.resumes++; b.resumes > maxResumes {
		b.tries.n = b.tries.limit
	}
	e := b.source.endpoints[b.at]
	err := e.failed(b.doing(), broke)
	for {
		if err = b.tries.again(b.ctx, err); err != nil {
			break
		}
		if err = b.connect(e, e.try); err == nil {
			return nil
		}
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	next := b.source.after(func(i int) bool { return i > b.at })
	if next < 0 {
		return err
	}
	b.source.leave(b.at, next, err)
	b.etag = ""
	at, err := b.source.eachFrom(b.ctx, next, func(e *endpoint) error { return b.connect(e, e.get) })
	if err != nil {
		return err
	}
	b.begin(at)
	return nil
}

func (b *blobReader) doing() string { return "get blob " + b.id.String() }

func (b *blobReader) lie(format string, args ...any) error {
	return &LyingError{Registry: b.source.endpoints[max(b.at, 0)].name, err: fmt.Errorf("blob %s: "+format, append([]any{b.id}, args...)...)}
}

// connect asks an endpoint for the blob from the offset on, and has it read.
func (b *blobReader) connect(e *endpoint, do func(context.Context, request) (*http.Response, error)) error {
	r := request{doing: b.doing(), path: "blobs/" + b.id.String()}
	if b.offset > 0 {
		r.rng, r.ifRange = fmt.Sprintf("bytes=%d-", b.offset), b.etag
	}
	resp, err := do(b.ctx, r)
	var refused *Error
	if b.offset > 0 && errors.As(err, &refused) && refused.Status == http.StatusRequestedRangeNotSatisfiable {
		known, ok := parseContentRange(refused.contentRange)
		switch {
		case ok && known.first < 0 && known.total == b.offset:
			b.total = b.offset
			b.replace(http.NoBody)
			return nil
		case !ok:
			// It does not say how long the blob is: some refuse every range without an end.
			r.rng, r.ifRange = "", ""
			resp, err = do(b.ctx, r)
		}
	}
	if err != nil {
		return err
	}
	body := newStallReader(resp.Body, e.opts.StallTimeout)
	skip, err := b.check(e, resp)
	if err == nil && skip > 0 {
		if _, serr := io.CopyN(io.Discard, body, skip); serr != nil {
			if errors.Is(serr, io.EOF) {
				serr = io.ErrUnexpectedEOF
			}
			err = e.failed(b.doing(), serr)
		}
	}
	if err != nil {
		_ = body.Close()
		return err
	}
	if tag := resp.Header.Get("Etag"); strings.HasPrefix(tag, `"`) { // not a weak one: RFC 9110, section 13.1.5
		b.etag = tag
	}
	b.replace(body)
	return nil
}

// check holds an answer against those before it, and says how many of its bytes
// have been read already.
func (b *blobReader) check(e *endpoint, resp *http.Response) (skip int64, err error) {
	total := resp.ContentLength
	if resp.StatusCode == http.StatusPartialContent {
		r, ok := parseContentRange(resp.Header.Get("Content-Range"))
		if !ok || r.first != b.offset {
			return 0, &LyingError{Registry: e.name, err: fmt.Errorf("blob %s from byte %d on: range %q", b.id, b.offset, resp.Header.Get("Content-Range"))}
		}
		if n := resp.ContentLength; n >= 0 && n != r.last-r.first+1 {
			return 0, &LyingError{Registry: e.name, err: fmt.Errorf("blob %s: %d bytes for range %q", b.id, n, resp.Header.Get("Content-Range"))}
		}
		total = r.total
	} else {
		skip = b.offset
	}
	if b.total < 0 {
		b.total = total
	} else if total >= 0 && total != b.total {
		return 0, &LyingError{Registry: e.name, err: fmt.Errorf("blob %s: it has %d bytes now, and had %d", b.id, total, b.total)}
	}
	return skip, nil
}
