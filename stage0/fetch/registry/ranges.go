package registry

import (
	"strconv"
	"strings"
)

// byteRange is what a Content-Range header says: bytes from First up to and
// including Last, of total.
type byteRange struct {
	first, last int64 // -1, -1 where the range was not satisfiable ("*")
	total       int64 // -1 where it is not known ("*")
}

// parseContentRange reads a Content-Range header (RFC 9110, section 14.4).
func parseContentRange(s string) (byteRange, bool) {
	r := byteRange{first: -1, last: -1, total: -1}
	unit, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	if !strings.EqualFold(unit, "bytes") {
		return byteRange{}, false
	}
	span, total, ok := strings.Cut(strings.TrimSpace(rest), "/")
	if !ok {
		return byteRange{}, false
	}
	if total != "*" {
		if r.total, ok = parseSize(total); !ok {
			return byteRange{}, false
		}
	}
	if span == "*" {
		return r, r.total >= 0
	}
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return byteRange{}, false
	}
	var ok1, ok2 bool
	r.first, ok1 = parseSize(first)
	r.last, ok2 = parseSize(last)
	if !ok1 || !ok2 || r.first > r.last || r.total >= 0 && r.last >= r.total {
		return byteRange{}, false
	}
	return r, true
}

// parseSize reads digits and nothing else.
func parseSize(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
