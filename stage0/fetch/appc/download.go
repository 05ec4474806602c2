package appc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/atomicfile"
	"github.com/raket/raket/pkg/imagestore"
	"github.com/raket/raket/pkg/progress"
)

// transfer is the download of one file, over several requests if need be.
type transfer struct {
	c     *client
	url   string
	dir   string // has what came so far, and partial
	limit int64
	// cached is what the store has of the URL already; zero for nothing.
	cached imagestore.Remote
	start  func(total int64) *progress.Bar

	bar *progress.Bar
	// resumed is set where bytes of an earlier process were used.
	resumed bool
	remote  imagestore.Remote
}

// partial describes the file in the making, so that it can go on.
type partial struct {
	Remote imagestore.Remote `json:"remote"`
	// Boot is the machine's boot ID: of what was written before a power loss
	// nobody knows what has reached the disk.
	Boot string `json:"boot"`
}

const (
	partialName = "partial.json"
	fileName    = "file"
	// maxRequests bounds a download that gets ahead a little each time.
	maxRequests = 50
)

var errNotModified = errors.New("not modified")

func (t *transfer) path() string { return filepath.Join(t.dir, fileName) }

// run downloads the file, or returns errNotModified, or errDeferred. Requests
// that fail are made again, for what is missing; the number of tries counts anew
// when there was progress.
func (t *transfer) run(ctx context.Context) (err error) {
	f, err := os.OpenFile(t.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("download %q: %w", t.url, err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		t.bar.Done(err == nil)
	}()
	if err := t.loadPartial(f); err != nil {
		return err
	}
	farthest, tries := int64(0), 0
	for n := 1; ; n++ {
		err := t.request(ctx, f)
		least, passing := isPassing(err)
		if err == nil || !passing {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tries++
		if at, err := f.Seek(0, io.SeekEnd); err == nil && at > farthest {
			farthest, tries = at, 1
		}
		if tries >= t.c.Tries || n == maxRequests {
			return fmt.Errorf("%w (tried %d times)", err, n)
		}
		if err := t.c.pause(ctx, tries, least, err); err != nil {
			return err
		}
	}
}

// loadPartial keeps what an earlier process left, if it can be gone on with.
func (t *transfer) loadPartial(f *os.File) error {
	raw, err := os.ReadFile(filepath.Join(t.dir, partialName))
	var p partial
	if err == nil && json.Unmarshal(raw, &p) == nil && p.Boot == bootID() && p.Boot != "" && p.Remote.URL == t.url {
		t.remote = p.Remote
		fi, err := f.Stat()
		t.resumed = err == nil && fi.Size() > 0
		return err
	}
	return t.restart(f)
}

// restart forgets what came so far.
func (t *transfer) restart(f *os.File) error {
	t.remote, t.resumed = imagestore.Remote{}, false
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("download %q: %w", t.url, err)
	}
	return nil
}

func bootID() string {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// request makes one request and takes what comes of it.
func (t *transfer) request(ctx context.Context, f *os.File) error {
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("download %q: %w", t.url, err)
	}
	header := http.Header{}
	if have > 0 && validator(t.remote) == "" {
		if err := t.restart(f); err != nil {
			return err
		}
		have = 0
	}
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		header.Set("If-Range", validator(t.remote))
	}
	if t.cached.ETag != "" {
		header.Set("If-None-Match", t.cached.ETag)
	} else if t.cached.LastModified != "" {
		header.Set("If-Modified-Since", t.cached.LastModified)
	}
	resp, err := t.c.get(ctx, t.url, header)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	now := time.Now()
	switch resp.StatusCode {
	case http.StatusOK:
		return t.whole(resp, f, now)
	case http.StatusPartialContent:
		return t.rest(resp, f, have)
	case http.StatusNotModified:
		if t.cached.URL == "" {
			break
		}
		t.remote = remoteOf(t.url, resp.Header, now)
		t.remote.Blob = t.cached.Blob
		if t.remote.ETag == "" && t.remote.LastModified == "" {
			t.remote.ETag, t.remote.LastModified = t.cached.ETag, t.cached.LastModified
		}
		return errNotModified
	case http.StatusRequestedRangeNotSatisfiable:
		if have == 0 {
			break
		}
		// All had come, and the validator still holds.
		if resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have) && t.same(resp.Header) {
			return nil
		}
		if err := t.restart(f); err != nil {
			return err
		}
		return &passingError{fmt.Errorf("get %q: the site no longer has the file that was begun", t.url)}
	}
	return newStatusError(t.url, resp)
}

// whole takes the file from its first byte.
func (t *transfer) whole(resp *http.Response, f *os.File, now time.Time) error {
	if resp.ContentLength > t.limit {
		return t.tooLarge()
	}
	if err := t.restart(f); err != nil {
		return err
	}
	t.remote = remoteOf(t.url, resp.Header, now)
	if err := t.savePartial(); err != nil {
		return err
	}
	t.begin(resp.ContentLength, 0)
	return t.copy(resp, f, 0, resp.ContentLength)
}

func (t *transfer) savePartial() error {
	raw, err := json.Marshal(partial{Remote: t.remote, Boot: bootID()})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(t.dir, partialName), raw, 0o600, atomicfile.Options{NoSync: true})
}

// rest takes what follows the first have bytes. Whatever is not quite as asked
// begins the download anew.
func (t *transfer) rest(resp *http.Response, f *os.File, have int64) error {
	first, total, ok := parseContentRange(resp.Header.Get("Content-Range"))
	if have == 0 || !ok || first != have || !t.same(resp.Header) {
		if err := t.restart(f); err != nil {
			return err
		}
		return &passingError{fmt.Errorf("get %q: the site sends another part of the file than was asked for", t.url)}
	}
	if total > t.limit {
		return t.tooLarge()
	}
	t.begin(total, have)
	return t.copy(resp, f, have, total)
}

// same reports that an answer speaks of the file that was begun, as far as it
// says.
func (t *transfer) same(h http.Header) bool {
	etag, modified := headerValue(h, "ETag"), headerValue(h, "Last-Modified")
	return (etag == "" || t.remote.ETag == "" || etag == t.remote.ETag) &&
		(modified == "" || t.remote.LastModified == "" || modified == t.remote.LastModified)
}

// begin shows a bar, once.
func (t *transfer) begin(total, have int64) {
	if t.bar == nil && t.start != nil {
		t.bar = t.start(max(total, 0))
		t.bar.Add(int(have))
	}
}

// copy writes the body at an offset, and knows the end where total is not
// negative.
func (t *transfer) copy(resp *http.Response, f *os.File, off, total int64) error {
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return fmt.Errorf("download %q: %w", t.url, err)
	}
	body := &countedReader{r: io.LimitReader(resp.Body, t.limit-off+1), onBytes: t.bar.Add}
	n, err := io.Copy(struct{ io.Writer }{f}, body)
	switch {
	case body.err != nil:
		return &passingError{fmt.Errorf("get %q: %w", t.url, body.err)}
	case err != nil:
		return fmt.Errorf("download %q: %w", t.url, err)
	case off+n > t.limit:
		return t.tooLarge()
	case total >= 0 && off+n < total:
		return &passingError{fmt.Errorf("get %q: the site ends after %d of %d bytes", t.url, off+n, total)}
	case total >= 0 && off+n > total:
		if err := t.restart(f); err != nil {
			return err
		}
		return &passingError{fmt.Errorf("get %q: the site sends more than the %d bytes it said", t.url, total)}
	}
	return nil
}

func (t *transfer) tooLarge() error {
	return fmt.Errorf("get %q: the file is larger than %d bytes", t.url, t.limit)
}

// countedReader keeps its source's error apart from the writer's.
type countedReader struct {
	r       io.Reader
	onBytes func(int)
	err     error
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.onBytes(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// parseContentRange reads "bytes FIRST-LAST/TOTAL" (RFC 9110, section 14.4); a
// total that is not known is -1.
func parseContentRange(s string) (first, total int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	if !ok {
		return 0, 0, false
	}
	span, size, ok := strings.Cut(rest, "/")
	from, to, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 {
		return 0, 0, false
	}
	total = -1
	if size != "*" {
		n, err := strconv.ParseUint(size, 10, 62)
		if err != nil {
			return 0, 0, false
		}
		total = int64(n)
	}
	a, errA := strconv.ParseUint(from, 10, 62)
	b, errB := strconv.ParseUint(to, 10, 62)
	if errA != nil || errB != nil || b < a || total >= 0 && int64(b) >= total {
		return 0, 0, false
	}
	return int64(a), total, true
}
