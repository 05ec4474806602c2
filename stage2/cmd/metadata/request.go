package main

import (
	"strconv"
	"strings"
)

// Bounds on a request.
const (
	maxHead = 8 << 10
	maxBody = 128 << 10
)

// request is one whole request.
type request struct {
	method, target string
	form           bool // the body is a form, application/x-www-form-urlencoded
	body           string
}

// state is how far a request has come.
type state struct {
	req      request
	whole    bool
	refused  int  // status to refuse it with, 0 for none
	expected bool // the client waits to be asked for the body
	need     int  // how many bytes the whole request has; 0 as long as that is not known
}

// parse reads what has come of a request. It is called again when there is more.
func parse(text string) state {
	end := strings.Index(text, "\r\n\r\n")
	if end < 0 {
		if len(text) > maxHead {
			return state{refused: 431}
		}
		return state{}
	}
	if end > maxHead {
		return state{refused: 431}
	}
	head, body := text[:end], text[end+4:]
	line, fields, _ := strings.Cut(head, "\r\n")
	method, rest, ok1 := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || method == "" || target == "" || target[0] != '/' || !printable(line) {
		return state{refused: 400}
	}
	if version != "HTTP/1.1" && version != "HTTP/1.0" {
		return state{refused: 505}
	}
	st := state{req: request{method: method, target: target}}
	length := -1
	for fields != "" {
		var field string
		field, fields, _ = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(field, ":")
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return state{refused: 400}
		}
		value = strings.Trim(value, " \t")
		switch strings.ToLower(name) {
		case "content-length":
			// Digits alone, and once: whoever reads two lengths reads two requests.
			n, err := strconv.ParseUint(value, 10, 31)
			if err != nil || length >= 0 {
				return state{refused: 400}
			}
			length = int(n)
		case "transfer-encoding":
			return state{refused: 501}
		case "expect":
			if !strings.EqualFold(value, "100-continue") {
				return state{refused: 417}
			}
			st.expected = true
		case "content-type":
			kind, _, _ := strings.Cut(value, ";")
			st.req.form = strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
		}
	}
	switch {
	case length > maxBody:
		return state{refused: 413}
	case length < 0 && method == "POST":
		return state{refused: 411}
	case len(body) < length:
		st.need = end + 4 + length
		return st
	}
	st.whole = true
	if length > 0 {
		st.req.body = body[:length]
	}
	return st
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// formValue is the first value of a name in a form (URL standard, "application/
// x-www-form-urlencoded parsing"), as the bytes that the client meant.
func formValue(form, name string) (value string, ok bool) {
	for pair := range strings.SplitSeq(form, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if k, good := unescape(k); !good || k != name {
			continue
		}
		return unescape(v)
	}
	return "", false
}

func unescape(s string) (string, bool) {
	if !strings.ContainsAny(s, "%+") {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			b, err := strconv.ParseUint(s[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			out = append(out, byte(b))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}
