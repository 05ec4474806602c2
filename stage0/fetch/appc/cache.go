package appc

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/raket/raket/pkg/imagestore"
)

const maxFresh = 365 * 24 * time.Hour

// remoteOf reads what a site says of a file's identity and age (RFC 9111,
// section 5.2.2). The blob is not set.
func remoteOf(url string, h http.Header, now time.Time) imagestore.Remote {
	r := imagestore.Remote{URL: url, ETag: headerValue(h, "ETag"), LastModified: headerValue(h, "Last-Modified"), Checked: now.UTC()}
	if age := maxAge(h); age > 0 {
		r.Fresh = now.Add(age).UTC()
	}
	return r
}

const maxHeaderBytes = 1024

// headerValue is a header worth keeping.
func headerValue(h http.Header, name string) string {
	v := h.Get(name)
	if len(v) > maxHeaderBytes || strings.ContainsFunc(v, isControl) {
		return ""
	}
	return v
}

func maxAge(h http.Header) time.Duration {
	var age time.Duration
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h.Values("Cache-Control"), ",")), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache":
			return 0
		case "max-age":
			secs, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				return 0
			}
			age = min(time.Duration(secs)*time.Second, maxFresh)
		}
	}
	if spent, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		age -= time.Duration(spent) * time.Second
	}
	return max(age, 0)
}

// validator is what If-Range takes (RFC 9110, section 13.1.5): a strong entity
// tag, or a date.
func validator(r imagestore.Remote) string {
	if r.ETag != "" && !strings.HasPrefix(r.ETag, "W/") {
		return r.ETag
	}
	return r.LastModified
}
