package site

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// File is what is at one path, and how it is answered. The zero value of each knob is a web
// server's usual way.
type File struct {
	// Body is the content; Path names a file that has it instead.
	Body []byte `json:"body,omitempty"`
	Path string `json:"path,omitempty"`
	// ContentType is its media type. Default: text/html for pages, else application/octet-stream.
	ContentType string `json:"contentType,omitempty"`

	// ETag is its entity tag, in quotes. Who names it in If-None-Match is answered 304.
	ETag string `json:"etag,omitempty"`
	// CacheControl is the header of that name, as "max-age=60".
	CacheControl string `json:"cacheControl,omitempty"`
	// NotYet is how many requests are answered 202 before there is anything: a signature that is
	// being made (rkt's deferred signatures).
	NotYet int `json:"notYet,omitempty"`
	// NoRange ignores ranges, and does not say that there are any.
	NoRange bool `json:"noRange,omitempty"`
	// CutAt drops the connection after so many bytes of a body; 0 never. Of the first Cuts
	// answers alone, if that is not 0.
	CutAt int64 `json:"cutAt,omitempty"`
	Cuts  int   `json:"cuts,omitempty"`
	// StallAt sends nothing any more after so many bytes, until the client leaves; 0 never.
	StallAt int64 `json:"stallAt,omitempty"`
	// Status is an error to answer with.
	Status int `json:"status,omitempty"`
	// Statuses are answered before anything else, each once, as 503 for a server that is busy.
	Statuses []int `json:"statuses,omitempty"`
	// Redirect is a URL to go to.
	Redirect string `json:"redirect,omitempty"`
	// Authorization is the header that clients have to send, by Basic or Bearer. Others are
	// answered 401.
	Authorization string `json:"authorization,omitempty"`
	// Header has further headers of the answer.
	Header map[string]string `json:"header,omitempty"`

	spent bool // Cuts answers were cut
}

// turn is a File as one request is to be answered with it, the counters being used up.
type turn struct {
	File
	status int  // an answer without content
	cut    bool // at CutAt
}

// take uses up what a knob has for one request. The site's lock is held.
func (f *File) take(r *http.Request) turn {
	t := turn{File: *f}
	switch {
	case f.Authorization != "" && r.Header.Get("Authorization") != f.Authorization:
		t.status = http.StatusUnauthorized
	case len(f.Statuses) > 0:
		t.status, f.Statuses = f.Statuses[0], f.Statuses[1:]
	case f.Status != 0:
		t.status = f.Status
	case f.NotYet > 0:
		t.status = http.StatusAccepted
		f.NotYet--
	}
	if f.CutAt > 0 && t.status == 0 {
		t.cut = !f.spent
		if f.Cuts > 0 {
			f.Cuts--
			f.spent = f.Cuts == 0
		}
	}
	return t
}

// serve answers one request.
func (t turn) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	for k, v := range t.Header {
		h.Set(k, v)
	}
	if t.status == http.StatusUnauthorized && t.Authorization != "" {
		scheme, _, _ := strings.Cut(t.Authorization, " ")
		h.Set("WWW-Authenticate", scheme+` realm="raket tests"`)
	}
	if t.status == 0 && t.Redirect != "" {
		http.Redirect(w, r, t.Redirect, http.StatusFound)
		return
	}
	if t.status != 0 {
		http.Error(w, http.StatusText(t.status), t.status)
		return
	}
	content, err := t.open()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer content.Close()
	h.Set("Content-Type", t.ContentType)
	if t.ETag != "" {
		h.Set("ETag", t.ETag)
	}
	if t.CacheControl != "" {
		h.Set("Cache-Control", t.CacheControl)
	}
	switch {
	case t.cut:
		w = &broken{ResponseWriter: w, left: t.CutAt, end: func() {
			// The server's own way to end an answer in the middle.
			panic(http.ErrAbortHandler)
		}}
	case t.StallAt > 0:
		w = &broken{ResponseWriter: w, left: t.StallAt, end: func() {
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}}
	}
	if t.NoRange {
		r = r.Clone(r.Context())
		r.Header.Del("Range")
		w = noRange{w}
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

func (t turn) open() (io.ReadSeekCloser, error) {
	if t.Path == "" {
		return nopCloser{bytes.NewReader(t.Body)}, nil
	}
	f, err := os.Open(t.Path)
	if err != nil {
		return nil, fmt.Errorf("serve a file: %w", err)
	}
	return f, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

// noRange does not announce ranges.
type noRange struct{ http.ResponseWriter }

func (w noRange) WriteHeader(status int) {
	w.Header().Del("Accept-Ranges")
	w.ResponseWriter.WriteHeader(status)
}

// broken passes left bytes of a body and then calls end, which does not come back.
type broken struct {
	http.ResponseWriter
	left int64
	end  func()
}

func (b *broken) Write(p []byte) (int, error) {
	if int64(len(p)) <= b.left {
		b.left -= int64(len(p))
		return b.ResponseWriter.Write(p)
	}
	if _, err := b.ResponseWriter.Write(p[:b.left]); err != nil {
		return 0, err
	}
	if err := http.NewResponseController(b.ResponseWriter).Flush(); err != nil {
		return 0, err
	}
	b.end()
	return 0, io.ErrUnexpectedEOF
}

// Unwrap is for http.ResponseController.
func (b *broken) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// Unwrap is for http.ResponseController.
func (w noRange) Unwrap() http.ResponseWriter { return w.ResponseWriter }
