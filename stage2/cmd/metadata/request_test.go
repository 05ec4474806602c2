package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRequestsAreRead(t *testing.T) {
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	for name, tc := range map[string]struct {
		text string
		want state
	}{
		"a request":             {"GET /x/y HTTP/1.1\r\nHost: h\r\n\r\n", state{req: request{method: "GET", target: "/x/y"}, whole: true}},
		"without fields":        {"GET / HTTP/1.0\r\n\r\n", state{req: request{method: "GET", target: "/"}, whole: true}},
		"not all of its fields": {"GET / HTTP/1.1\r\nHost: h\r\n", state{}},
		"a form": {
			"POST /x HTTP/1.1\r\n" + form + "Content-Length: 3\r\n\r\na=b",
			state{req: request{method: "POST", target: "/x", form: true, body: "a=b"}, whole: true},
		},
		"a form with a character set": {
			"POST /x HTTP/1.1\r\nCONTENT-type:  Application/X-WWW-Form-URLencoded ; charset=utf-8\r\nContent-Length:0\r\n\r\n",
			state{req: request{method: "POST", target: "/x", form: true}, whole: true},
		},
		"half a form": {
			"POST /x HTTP/1.1\r\n" + form + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\na=",
			state{req: request{method: "POST", target: "/x", form: true}, expected: true, need: 113},
		},
		"no length":            {"POST /x HTTP/1.1\r\n\r\n", state{refused: 411}},
		"two lengths":          {"POST /x HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", state{refused: 400}},
		"a length with a sign": {"POST /x HTTP/1.1\r\nContent-Length: +3\r\n\r\n", state{refused: 400}},
		"a list of lengths":    {"POST /x HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", state{refused: 400}},
		"a long body":          {"POST /x HTTP/1.1\r\nContent-Length: 131073\r\n\r\n", state{refused: 413}},
		"a body in chunks":     {"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", state{refused: 501}},
		"another expectation":  {"POST /x HTTP/1.1\r\nExpect: money\r\nContent-Length: 1\r\n\r\n", state{refused: 417}},
		"long fields":          {"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead), state{refused: 431}},
		"long fields, whole":   {"GET / HTTP/1.1\r\nA: " + strings.Repeat("x", maxHead) + "\r\n\r\n", state{refused: 431}},
		"another protocol":     {"GET / HTTP/2.0\r\n\r\n", state{refused: 505}},
		"no version":           {"GET /\r\n\r\n", state{refused: 400}},
		"a URL of a proxy":     {"GET http://x/ HTTP/1.1\r\n\r\n", state{refused: 400}},
		"bytes that are none":  {"GET /\x80 HTTP/1.1\r\n\r\n", state{refused: 400}},
		"a space before colon": {"GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\n", state{refused: 400}},
		"a folded field":       {"GET / HTTP/1.1\r\nA: b\r\n c: d\r\n\r\n", state{refused: 400}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, parse(tc.text), cmp.AllowUnexported(state{}, request{})); diff != "" {
				t.Error("(-want +got):\n" + diff)
			}
		})
	}
}

func TestValuesOfForms(t *testing.T) {
	for _, tc := range []struct {
		form, name, want string
		ok               bool
	}{
		{"a=1&b=2", "b", "2", true}, {"a=1&a=2", "a", "1", true}, {"a=x+y%2B%00%ff", "a", "x y+\x00\xff", true}, {"%61=1", "a", "1", true},
		{"a", "a", "", true}, {"a=b=c", "a", "b=c", true}, {"", "a", "", false}, {"a=%4", "a", "", false}, {"a=%zz", "a", "", false}, {"a=%", "a", "", false},
	} {
		got, ok := formValue(tc.form, tc.name)
		if got != tc.want || ok != tc.ok {
			t.Errorf("%q of %q: %q, %v", tc.name, tc.form, got, ok)
		}
	}
}

// Whatever comes, in whatever parts: it is read without harm, and what is read of the whole
// does not depend on how it came.
func FuzzParse(f *testing.F) {
	f.Add("GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 7)
	f.Add("POST /x HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\ncontent=%", 60)
	f.Add("POST /x HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n", 3)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		whole := parse(text)
		if len(whole.req.body) > maxBody || whole.need > maxHead+maxBody+4 {
			t.Errorf("more than the bounds: %d, %d", len(whole.req.body), whole.need)
		}
		formValue(whole.req.body, "content")
		if cut < 0 || cut > len(text) {
			return
		}
		if part := parse(text[:cut]); part.whole && (!whole.whole || part.req != whole.req) {
			t.Errorf("%q says something else when more follows", text[:cut])
		}
	})
}
